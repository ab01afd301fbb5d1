//! The generator's thread: one loop around epoll and an absolute timer.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::time::{ClockId, Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec};
use tokio::sync::{mpsc, oneshot};

use super::connection::{Exchange, Progress, Request, State, begin_connect, connect_outcome, is_quiet};
use super::http::{Prepared, Response};
use super::ledger::{Answer, Batch, Entry, Outcome};
use super::priority::Priority;
use super::{LoadError, LoadPlan, Stall, request_id};

/// The thread wakes this long before a request is due and spins for the rest: waking up takes about half of it.
const SPIN_NS: u64 = 60_000;
/// At most one part in this many of the time is spent spinning: the thread has priority over all others, and must leave them
/// the processor.
const SPIN_PART: u64 = 10;
/// How often time limits are checked and entries handed over.
const TICK_NS: u64 = 10_000_000;
/// Ticks between two batches.
const TICKS_PER_BATCH: u32 = 10;
/// Longest handshake of the first connections.
const FIRST_CONNECT: Duration = Duration::from_secs(5);
/// Token of the timer; the token of a connection is its index.
const TIMER: u64 = u64::MAX;

/// The thread's body. `ready` gets the moment when the schedule began, `batches` everything after that.
pub(super) fn run(
    plan: LoadPlan,
    stall: Stall,
    batches: mpsc::UnboundedSender<Batch>,
    stop: Arc<AtomicBool>,
    ready: oneshot::Sender<Result<(Instant, Priority), LoadError>>,
) {
    let priority = Priority::raise();
    match Generator::new(plan, stall, batches, stop) {
        Ok(mut generator) => {
            let heard = ready.send(Ok((generator.start(), priority)));
            if heard.is_ok() {
                generator.run();
            }
        }
        // if the receiver is gone, nobody wants to know
        Err(error) => drop(ready.send(Err(error))),
    }
}

struct Generator {
    plan: LoadPlan,
    stall: Stall,
    capture: Arc<[String]>,
    epoll: OwnedFd,
    timer: OwnedFd,
    /// Start of the schedule, on the same clock in both of its forms.
    started: Instant,
    started_ns: u64,
    /// Connections to the first target, then those to the next.
    connections: Vec<State>,
    pools: Vec<Pool>,
    next: Request,
    entries: Vec<Entry>,
    answers: HashMap<Answer, u32>,
    new_answers: Vec<Answer>,
    batches: mpsc::UnboundedSender<Batch>,
    stop: Arc<AtomicBool>,
    stopped: Option<u64>,
    scratch: Vec<u8>,
    /// How long before a request is due spinning starts.
    spin_ns: u64,
}

/// The state of a target: nothing is shared with another one.
struct Pool {
    /// The request to send.
    request: Prepared,
    /// Connections that are open and free, the one free for longest first.
    idle: VecDeque<usize>,
    /// Connections without a socket.
    closed: Vec<usize>,
    /// Requests that are due while every connection is busy.
    queue: VecDeque<Request>,
}

fn system(action: &'static str) -> impl Fn(rustix::io::Errno) -> LoadError {
    move |error| LoadError::System { action, source: error.into() }
}

/// Request `sequence`, not yet released.
fn request(plan: &LoadPlan, sequence: u32) -> Request {
    Request { sequence, target: plan.order.target(sequence), scheduled: plan.arrivals.due(sequence), released: 0 }
}

impl Generator {
    fn new(
        plan: LoadPlan,
        stall: Stall,
        batches: mpsc::UnboundedSender<Batch>,
        stop: Arc<AtomicBool>,
    ) -> Result<Self, LoadError> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC).map_err(system("create an epoll"))?;
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        let timer = rustix::time::timerfd_create(TimerfdClockId::Monotonic, flags).map_err(system("create a timer"))?;
        epoll::add(&epoll, &timer, EventData::new_u64(TIMER), EventFlags::IN).map_err(system("watch its timer"))?;
        let pool =
            |target| Pool { request: Prepared::new(target), idle: VecDeque::new(), closed: Vec::new(), queue: VecDeque::new() };
        let mut generator = Generator {
            stall,
            capture: plan.capture.clone().into(),
            epoll,
            timer,
            started: Instant::now(),
            started_ns: 0,
            connections: Vec::new(),
            pools: plan.targets.iter().map(pool).collect(),
            next: request(&plan, 0),
            entries: Vec::new(),
            answers: HashMap::new(),
            new_answers: Vec::new(),
            batches,
            stop,
            stopped: None,
            scratch: vec![0; 64 * 1024],
            spin_ns: SPIN_NS.min(plan.arrivals.interval_ns() / SPIN_PART),
            plan,
        };
        generator.open_all()?;
        Ok(generator)
    }

    /// The first connections are opened before the schedule starts: it measures requests, not handshakes.
    fn open_all(&mut self) -> Result<(), LoadError> {
        for index in 0..self.plan.connections as usize * self.pools.len() {
            let target = self.pool_of(index);
            let address = self.plan.targets[target].address;
            let failed = |source| LoadError::Connect { address, source };
            let stream = TcpStream::connect_timeout(&address, FIRST_CONNECT).map_err(failed)?;
            stream.set_nodelay(true).and_then(|()| stream.set_nonblocking(true)).map_err(failed)?;
            self.watch(&stream, index).map_err(failed)?;
            self.connections.push(State::Idle(stream));
            self.pools[target].idle.push_back(index);
        }
        Ok(())
    }

    /// Index of the target that a connection belongs to.
    fn pool_of(&self, connection: usize) -> usize {
        connection / self.plan.connections as usize
    }

    fn pool(&mut self, connection: usize) -> &mut Pool {
        let target = self.pool_of(connection);
        &mut self.pools[target]
    }

    fn watch(&self, stream: &TcpStream, index: usize) -> io::Result<()> {
        let interest = EventFlags::IN | EventFlags::OUT | EventFlags::RDHUP | EventFlags::ET;
        Ok(epoll::add(&self.epoll, stream, EventData::new_u64(index as u64), interest)?)
    }

    fn start(&mut self) -> Instant {
        let now = rustix::time::clock_gettime(ClockId::Monotonic);
        self.started = Instant::now();
        self.started_ns = now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64;
        self.started
    }

    /// Nanoseconds since the start.
    fn now(&self) -> u64 {
        self.started.elapsed().as_nanos() as u64
    }

    fn run(&mut self) {
        let mut events = Vec::with_capacity(256);
        let mut next_tick = TICK_NS;
        let mut ticks = 0;
        loop {
            self.stall();
            self.release_due();
            let now = self.now();
            if now >= next_tick {
                self.tick(now);
                ticks += 1;
                next_tick = now + TICK_NS;
                let over = self.finished();
                if over || ticks % TICKS_PER_BATCH == 0 {
                    // without a listener nobody would stop the load
                    if self.hand_over().is_err() || over {
                        return;
                    }
                }
            }
            let due = if self.stopped.is_some() { u64::MAX } else { self.next.scheduled.saturating_sub(self.spin_ns) };
            let wake = due.min(next_tick);
            let spin = Timespec { tv_sec: 0, tv_nsec: 0 };
            let patience = if self.now() >= wake { Some(&spin) } else { self.arm(wake) };
            events.clear();
            // interrupted by a signal: the loop comes back here
            let _ = epoll::wait(&self.epoll, rustix::buffer::spare_capacity(&mut events), patience);
            for event in &events {
                match event.data.u64() {
                    TIMER => drop(rustix::io::read(&self.timer, &mut [0; 8])),
                    index => {
                        self.on_event(index as usize);
                        // so that many answers at once do not delay the next request
                        self.release_due();
                    }
                }
            }
        }
    }

    /// Sets the timer to this time after the start. Returns no limit for the wait if that worked, since the timer will end it.
    fn arm(&self, wake: u64) -> Option<&'static Timespec> {
        const SHORT: Timespec = Timespec { tv_sec: 0, tv_nsec: 1_000_000 };
        let at = self.started_ns + wake;
        let value = Timespec { tv_sec: (at / 1_000_000_000) as i64, tv_nsec: (at % 1_000_000_000) as i64 };
        let spec = Itimerspec { it_interval: Timespec { tv_sec: 0, tv_nsec: 0 }, it_value: value };
        match rustix::time::timerfd_settime(&self.timer, TimerfdTimerFlags::ABSTIME, &spec) {
            Ok(_) => None,
            // cannot happen with a valid time; a coarse wait is better than none
            Err(_) => Some(&SHORT),
        }
    }

    fn stall(&mut self) {
        if let Some((at, lasts)) = self.stall
            && self.started.elapsed() >= at
        {
            self.stall = None;
            std::thread::sleep(lasts);
        }
    }

    /// Sends, or queues, every request that is due.
    fn release_due(&mut self) {
        while self.stopped.is_none() {
            let now = self.now();
            if self.next.scheduled > now {
                return;
            }
            let due = Request { released: now, ..self.next };
            self.next = request(&self.plan, due.sequence + 1);
            self.pools[due.target].queue.push_back(due);
            self.serve_queue(due.target);
        }
    }

    /// Assigns waiting requests to free connections, open ones first.
    fn serve_queue(&mut self, target: usize) {
        while !self.pools[target].queue.is_empty() {
            let pool = &mut self.pools[target];
            let Some(index) = pool.idle.pop_front().or_else(|| pool.closed.pop()) else { return };
            // not empty, see above
            let Some(request) = pool.queue.pop_front() else { return };
            match std::mem::replace(&mut self.connections[index], State::Closed) {
                State::Idle(stream) => self.send(index, stream, request),
                State::Closed => self.connect(index, request),
                // in neither list: put back what was taken
                other => {
                    self.connections[index] = other;
                    self.pools[target].queue.push_front(request);
                }
            }
        }
    }

    fn send(&mut self, index: usize, stream: TcpStream, request: Request) {
        let prepared = &self.pools[request.target].request;
        let bytes = prepared.bytes(&request_id(&self.plan.run, request.sequence));
        let reader = prepared.reader(&self.capture);
        let (exchange, progress) = Exchange::start(stream, request, self.now(), bytes, reader);
        match progress {
            Progress::Failed(outcome) => self.fail(index, exchange, outcome),
            _ => self.connections[index] = State::Busy(Box::new(exchange)),
        }
    }

    fn connect(&mut self, index: usize, request: Request) {
        match begin_connect(self.plan.targets[request.target].address)
            .and_then(|stream| self.watch(&stream, index).map(|()| stream))
        {
            Ok(stream) => self.connections[index] = State::Connecting(stream, request),
            Err(error) => {
                self.pool(index).closed.push(index);
                self.enter_unsent(request, connect_outcome(&error));
            }
        }
    }

    fn on_event(&mut self, index: usize) {
        match std::mem::replace(&mut self.connections[index], State::Closed) {
            State::Connecting(stream, request) => match (stream.take_error(), stream.peer_addr()) {
                (Ok(None), Ok(_)) => self.send(index, stream, request),
                (Ok(None), Err(_)) => self.connections[index] = State::Connecting(stream, request),
                (Ok(Some(error)) | Err(error), _) => {
                    self.pool(index).closed.push(index);
                    self.enter_unsent(request, connect_outcome(&error));
                }
            },
            State::Busy(mut exchange) => match exchange.proceed(&mut self.scratch) {
                Progress::Waiting => self.connections[index] = State::Busy(exchange),
                Progress::Answered(response) => self.answered(index, *exchange, response),
                Progress::Failed(outcome) => self.fail(index, *exchange, outcome),
            },
            State::Idle(stream) if is_quiet(&stream) => self.connections[index] = State::Idle(stream),
            State::Idle(_) => {
                let pool = self.pool(index);
                pool.idle.retain(|other| *other != index);
                pool.closed.push(index);
            }
            State::Closed => {}
        }
        self.serve_queue(self.pool_of(index));
    }

    fn answered(&mut self, index: usize, exchange: Exchange, response: Response) {
        let accepted = self.plan.targets[exchange.request.target].accept.contains(&response.status);
        let outcome = match self.plan.body {
            _ if !accepted => Outcome::BadStatus,
            Some(body) if response.body != body => Outcome::WrongBody,
            _ => Outcome::Ok,
        };
        let answer = self.answer_number(response.headers);
        self.enter(exchange.request, exchange.sent, outcome, (response.status, answer));
        if response.keep_alive {
            self.connections[index] = State::Idle(exchange.stream);
            self.pool(index).idle.push_back(index);
        } else {
            self.pool(index).closed.push(index);
        }
    }

    fn fail(&mut self, index: usize, exchange: Exchange, outcome: Outcome) {
        self.enter(exchange.request, exchange.sent, outcome, (0, 0));
        // dropping the exchange closes its socket
        self.pool(index).closed.push(index);
    }

    fn enter_unsent(&mut self, request: Request, outcome: Outcome) {
        self.enter(request, self.now(), outcome, (0, 0));
    }

    fn enter(&mut self, request: Request, sent: u64, outcome: Outcome, (status, answer): (u16, u32)) {
        let micros = |ns: u64| u32::try_from(ns / 1000).unwrap_or(u32::MAX);
        self.entries.push(Entry {
            sequence: request.sequence,
            scheduled: micros(request.scheduled),
            released: micros(request.released),
            sent: micros(sent),
            done: micros(self.now()),
            // at most two targets, see Order
            target: request.target as u8,
            outcome,
            status,
            answer,
        });
    }

    /// The number, from 1, of this combination of captured headers.
    fn answer_number(&mut self, answer: Answer) -> u32 {
        let next = u32::try_from(self.answers.len() + 1).unwrap_or(u32::MAX);
        let new_answers = &mut self.new_answers;
        *self.answers.entry(answer).or_insert_with_key(|answer| {
            new_answers.push(answer.clone());
            next
        })
    }

    /// Fails requests whose time is over.
    fn tick(&mut self, now: u64) {
        if self.stopped.is_none() && (self.stop.load(Ordering::Relaxed) || now >= super::LONGEST.as_nanos() as u64) {
            self.stopped = Some(now);
        }
        let timeout = self.plan.timeout.as_nanos() as u64;
        let drained = self.stopped.is_some_and(|stopped| now >= stopped + self.plan.drain.as_nanos() as u64);
        let late = |request: &Request| request.scheduled + timeout <= now;
        for target in 0..self.pools.len() {
            while self.pools[target].queue.front().is_some_and(|request| drained || late(request)) {
                let Some(request) = self.pools[target].queue.pop_front() else { break };
                self.enter_unsent(request, Outcome::NotSent);
            }
        }
        for index in 0..self.connections.len() {
            let over = match &self.connections[index] {
                State::Busy(exchange) => drained || late(&exchange.request),
                State::Connecting(_, request) => drained || late(request),
                _ => false,
            };
            if !over {
                continue;
            }
            match std::mem::replace(&mut self.connections[index], State::Closed) {
                State::Busy(exchange) => {
                    let outcome = if late(&exchange.request) { Outcome::Timeout } else { Outcome::Unfinished };
                    self.fail(index, *exchange, outcome);
                }
                State::Connecting(_, request) => {
                    self.pool(index).closed.push(index);
                    self.enter_unsent(request, Outcome::ConnectTimeout);
                }
                other => self.connections[index] = other,
            }
        }
        (0..self.pools.len()).for_each(|target| self.serve_queue(target));
    }

    fn open_requests(&self) -> impl Iterator<Item = &Request> {
        let on_connections = self.connections.iter().filter_map(|state| match state {
            State::Busy(exchange) => Some(&exchange.request),
            State::Connecting(_, request) => Some(request),
            State::Idle(_) | State::Closed => None,
        });
        self.pools.iter().flat_map(|pool| &pool.queue).chain(on_connections)
    }

    fn finished(&self) -> bool {
        self.stopped.is_some() && self.open_requests().next().is_none()
    }

    fn hand_over(&mut self) -> Result<(), ()> {
        let next = self.stopped.unwrap_or(self.next.scheduled);
        let settled = self.open_requests().map(|request| request.scheduled).min().unwrap_or(next).min(next);
        let batch = Batch {
            entries: std::mem::take(&mut self.entries),
            answers: std::mem::take(&mut self.new_answers),
            settled: u32::try_from(settled / 1000).unwrap_or(u32::MAX),
        };
        self.batches.send(batch).map_err(drop)
    }
}
