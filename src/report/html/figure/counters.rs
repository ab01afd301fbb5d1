//! The path with counters: the growth of each proxy's own counters, below its place on the path.

use maud::{Markup, html};

use super::{Head, figure, missing};
use crate::report::html::Page;
use crate::report::html::scenario::Side;
use crate::report::html::svg::{Anchor, Caption, Frame, Svg, X};
use crate::report::html::table::{Table, numbers, text, words};
use crate::report::number::{count, plain};
use crate::report::seen::{Counted, counted, proxies, readings, servers};
use crate::report::sentence::{capital, plural};
use crate::report::story::display_name;
use crate::scenario::record::Method;

/// A place on the path: its name, what it is, and what is known about each side there.
struct Hop {
    name: String,
    note: String,
    sides: Vec<(Class, String)>,
}

/// The look of a text below a hop.
#[derive(Clone, Copy)]
enum Class {
    Good,
    Bad,
    Counter,
    Small,
}

impl Class {
    fn name(self) -> &'static str {
        match self {
            Class::Good => "okt",
            Class::Bad => "flt",
            Class::Counter => "rt",
            Class::Small => "sm",
        }
    }
}

/// The figure; left out if no proxy was observed.
pub fn draw(page: &Page, id: &str, sides: &[Side], method: &Method) -> Markup {
    let groups: Vec<Vec<Counted>> = sides.iter().map(|side| counted(side.trial)).collect();
    let notes: Vec<&String> = sides.iter().filter_map(|side| proxies(side.trial)).flat_map(|proxies| &proxies.notes).collect();
    if sides.iter().all(|side| proxies(side.trial).is_none()) {
        return html! {};
    }
    let finding = finding(&groups[0]);
    let head = Head { id, finding: &finding, reading: "What each proxy's own counters grew by, under its place on the way." };
    if groups.iter().all(Vec::is_empty) {
        let why = notes.first().map_or("no observed proxy shows retry counters", |note| note.as_str());
        return missing(page, &head, "No counters.", &format!("{}.", capital(why)));
    }
    let hops = hops(sides, &groups, method);
    figure(
        page,
        &head,
        html! {
            (wide(id, &hops, sides))
            div.n-only { (narrow(&hops, sides)) }
            (behind(sides))
            @for note in notes.iter().take(4) { p.note { (capital(note)) "." } }
        },
    )
}

fn finding(claim: &[Counted]) -> String {
    let mut saving: Vec<&Counted> = claim.iter().filter(|group| group.saved > 0).collect();
    saving.sort_by_key(|group| std::cmp::Reverse(group.saved));
    match saving.as_slice() {
        // nothing read is nothing known
        [] if claim.is_empty() => "Where requests were retried".to_owned(),
        [] if claim.iter().all(|group| group.retried == 0) => "No proxy had to retry".to_owned(),
        [] => "Retries, as the proxies count them".to_owned(),
        [only] => {
            let requests = plural(only.saved, "request", "requests");
            format!("The retries of {} save {} {requests}", display_name(&only.group), count(only.saved))
        }
        [first, rest @ ..] => {
            let rest: Vec<&str> = rest.iter().map(|group| display_name(&group.group)).collect();
            format!("The retries of {} save most requests, those of {} the rest", display_name(&first.group), rest.join(" and "))
        }
    }
}

fn hops(sides: &[Side], groups: &[Vec<Counted>], method: &Method) -> Vec<Hop> {
    let each = |of: &dyn Fn(usize, &Side) -> (Class, String)| sides.iter().enumerate().map(|(at, side)| of(at, side)).collect();
    let lost = |_: usize, side: &Side| match side.trial.failed {
        0 => (Class::Good, "0 failed".to_owned()),
        failed => (Class::Bad, format!("{} failed", count(failed))),
    };
    let mut hops =
        vec![Hop { name: "client".to_owned(), note: format!("{} req/s", plain(method.rate_per_second)), sides: each(&lost) }];
    if let Some(address) = address(&method.target) {
        hops.push(Hop { name: "VIP".to_owned(), note: address, sides: each(&|_, _| (Class::Small, String::new())) });
    }
    let mut names: Vec<&str> = Vec::new();
    for group in groups.iter().flatten() {
        if !names.contains(&group.group.as_str()) {
            names.push(&group.group);
        }
    }
    for name in names {
        let read = |at: usize, _: &Side| match groups[at].iter().find(|group| group.group == name) {
            Some(group) => (Class::Counter, group.words()),
            // a counter that was not read is not 0
            None => (Class::Small, "not read".to_owned()),
        };
        hops.push(Hop { name: display_name(name).to_owned(), note: "Envoy".to_owned(), sides: each(&read) });
    }
    if let Some(fault) = sides.iter().flat_map(|side| &side.faults).next() {
        let hit = |_: usize, side: &Side| {
            let in_flight: u64 = side.faults.iter().map(|fault| fault.in_flight).sum();
            let what = plural(side.faults.len() as u64, &fault.noun, &format!("{}s", fault.noun)).to_owned();
            (Class::Small, format!("{} {what}, {} in flight", side.faults.len(), count(in_flight)))
        };
        let pods = sides.iter().map(|side| servers(side.trial)).max().unwrap_or(0);
        let note = if pods > 0 { format!("{pods} pods answered") } else { String::new() };
        let hit_what = fault.subject.split(' ').next().unwrap_or_default();
        hops.push(Hop { name: display_name(hit_what).to_owned(), note, sides: each(&hit) });
    }
    hops
}

/// The address in `GET http://172.18.255.200:80/path (host …)`.
fn address(target: &str) -> Option<String> {
    let rest = target.split_once("://")?.1;
    let end = rest.find(['/', ':', ' ']).unwrap_or(rest.len());
    Some(rest[..end].to_owned())
}

fn wide(id: &str, hops: &[Hop], sides: &[Side]) -> Markup {
    let (first, last) = (16.5, 92.0);
    let step = (last - first) / (hops.len().saturating_sub(1).max(1)) as f64;
    // five texts of 150 pixels fit side by side; six do not, and take two lines
    let two_lines = hops.len() > 5;
    let row = if two_lines { 50.0 } else { 35.0 };
    let half = if hops.len() > 6 { 46.0 } else { 60.0 };
    let mut svg = Svg::new();
    svg.line("sm-l", (first, 34.0), (last, 34.0));
    for (at, hop) in hops.iter().enumerate() {
        svg.at("", first + step * at as f64, 34.0, |svg| {
            svg.boxed("bx", (-half, half * 2.0), (-25.0, 50.0), 7.0);
            svg.text("lb", X::Px(0.0), if hop.note.is_empty() { 5.0 } else { -2.0 }, Anchor::Middle, &hop.name);
            if !hop.note.is_empty() {
                svg.text("sm", X::Px(0.0), 15.0, Anchor::Middle, &hop.note);
            }
        });
    }
    for (at, side) in sides.iter().enumerate() {
        let top = 76.0 + row * at as f64;
        svg.line("gr", (0.0, top), (100.0, top));
        svg.text("lb", 0.0, top + 22.0, Anchor::Start, side.name);
        for (place, hop) in hops.iter().enumerate() {
            let (class, words) = &hop.sides[at];
            let x = first + step * place as f64;
            match words.split_once(", ").filter(|_| two_lines) {
                Some((one, two)) => {
                    svg.text(class.name(), x, top + 19.0, Anchor::Middle, one);
                    svg.text(class.name(), x, top + 37.0, Anchor::Middle, two);
                }
                None if words.is_empty() => {}
                None => svg.text(class.name(), x, top + 22.0, Anchor::Middle, words),
            }
        }
    }
    let bottom = 76.0 + row * sides.len() as f64;
    svg.line("gr", (0.0, bottom), (100.0, bottom));
    let names: Vec<&str> = hops.iter().map(|hop| hop.name.as_str()).collect();
    let description = format!("The way {}, with what was counted at each place.", names.join(", "));
    let caption = Caption { id: &format!("{id}-w"), title: "Where requests were retried", description: &description };
    svg.figure(&caption, &Frame { height: bottom + 4.0, left: 0, right: 0, class: "w" })
}

fn narrow(hops: &[Hop], sides: &[Side]) -> Markup {
    let mut columns = vec![words("Place")];
    columns.extend(sides.iter().map(|side| words(side.name)));
    let mut table = Table::new(format!("{}: retries by place", sides[0].caption), columns);
    for hop in hops.iter().filter(|hop| hop.sides.iter().any(|(_, words)| !words.is_empty())) {
        let mut cells = vec![text(&hop.name)];
        cells.extend(hop.sides.iter().map(|(_, words)| text(words)));
        table.row(cells);
    }
    table.scrolling(false)
}

/// All counters of all proxies that ever counted anything.
fn behind(sides: &[Side]) -> Markup {
    let control = sides.get(1).map(|side| readings(side.trial));
    let mut columns = vec![words("Proxy and upstream"), words("Counter"), numbers("Before"), numbers("After"), numbers("Growth")];
    if control.is_some() {
        columns.push(numbers("In the control"));
    }
    let mut table = Table::new(format!("{}: counters read from the proxies", sides[0].caption), columns);
    for reading in readings(sides[0].trial) {
        let mut cells = vec![
            html! { (display_name(&reading.group)) ": " code { (reading.upstream) } },
            text(&reading.counter),
            text(count(reading.before)),
            text(count(reading.after)),
            text(count(reading.growth)),
        ];
        if let Some(control) = &control {
            let there = control.iter().find(|other| reading.same(other)).map(|other| other.growth);
            cells.push(text(there.map_or_else(|| "not read".to_owned(), count)));
        }
        table.row(cells);
    }
    table.folded("Envoy counters before and after")
}
