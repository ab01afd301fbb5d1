//! The two paths as far as they were examined: from the generator to both addresses, what was sent, and what came back.

use maud::{Markup, html};

use super::{Head, figure, missing};
use crate::compare::record::{ArmRecord, Comparison};
use crate::report::comparison::brief;
use crate::report::html::Page;
use crate::report::html::svg::{Anchor, Caption, Frame, Svg, X};
use crate::report::html::table::{Table, numbers, text, words};
use crate::report::number::count;

/// The figure.
pub fn draw(page: &Page, id: &str, of: &Comparison) -> Markup {
    let same = match of.arms.as_slice() {
        [a, b] => a.body_crc32.is_some() && a.body_crc32 == b.body_crc32,
        _ => false,
    };
    let finding = if same { "Two addresses that give the same answer" } else { "Two addresses, whose answers may differ" };
    let reading = "From the generator to both arms. What lies behind an address was not looked at.";
    let head = Head { id, finding, reading };
    let [a, b] = of.arms.as_slice() else {
        return missing(page, &head, "No path evidence.", "The run ended before a request was sent.");
    };
    let words = |arm: &ArmRecord| format!("{}, {} of {} requests failed", arm.address, count(arm.failed), count(arm.requests));
    let description = format!("The generator sends to {}: {}; and to {}: {}.", a.name, words(a), b.name, words(b));
    let caption = |suffix: &str| (format!("{id}-{suffix}"), "The two addresses");
    let ((wide, title), (narrow, _)) = (caption("w"), caption("n"));
    let drawing = |svg: Svg, id: &str, height: f64, class: &'static str| {
        svg.figure(&Caption { id, title, description: &description }, &Frame { height, left: 0, right: 0, class })
    };
    let body = html! {
        (drawing(across([a, b]), &wide, 158.0, "w"))
        (drawing(down([a, b]), &narrow, 244.0, "n-only"))
        (behind(of, [a, b]))
    };
    figure(page, &head, body)
}

/// A box with two lines of text, centred on a place.
fn node(svg: &mut Svg, class: &str, (x, y): (f64, f64), (width, height): (f64, f64), lines: [&str; 2]) {
    svg.at("", x, y, |svg| {
        svg.boxed(class, (-width / 2.0, width), (-height / 2.0, height), 7.0);
        svg.text("lb", X::Px(0.0), -2.0, Anchor::Middle, lines[0]);
        svg.text("sm", X::Px(0.0), 15.0, Anchor::Middle, lines[1]);
    });
}

fn across(arms: [&ArmRecord; 2]) -> Svg {
    let mut svg = Svg::new();
    for ((arm, y), (line, name, class)) in
        arms.into_iter().zip([38.0, 112.0]).zip([("la", "ca", "bx bxa"), ("lbb", "cb", "bx bxb")])
    {
        svg.line(line, (8.0, y), (52.0, y));
        svg.line("sm-l", (52.0, y), (86.0, y));
        svg.at("", 8.0, y - 8.0, |svg| svg.text(name, X::Px(62.0), 0.0, Anchor::Start, brief(&arm.name)));
        svg.text("sm", 32.0, y + 18.0, Anchor::Middle, format!("{} sent", count(arm.requests)));
        node(&mut svg, class, (52.0, y), (170.0, 48.0), [&brief(&arm.address), &format!("{} failed", count(arm.failed))]);
    }
    node(&mut svg, "bx", (8.0, 75.0), (104.0, 124.0), ["client", "open loop"]);
    node(&mut svg, "bx gone", (86.0, 75.0), (180.0, 124.0), ["behind them", "not looked at"]);
    svg
}

fn down(arms: [&ArmRecord; 2]) -> Svg {
    let mut svg = Svg::new();
    for ((arm, x), (line, name, class)) in
        arms.into_iter().zip([26.0, 74.0]).zip([("la", "ca", "bx bxa"), ("lbb", "cb", "bx bxb")])
    {
        svg.line(line, (x, 44.0), (x, 130.0));
        svg.line("sm-l", (x, 130.0), (x, 220.0));
        svg.text(&format!("{name} halo"), x, 76.0, Anchor::Middle, brief(&arm.name));
        svg.text("sm halo", x, 96.0, Anchor::Middle, format!("{} sent", count(arm.requests)));
        node(&mut svg, class, (x, 134.0), (136.0, 48.0), [&brief(&arm.address), &format!("{} failed", count(arm.failed))]);
    }
    node(&mut svg, "bx", (50.0, 24.0), (240.0, 44.0), ["client", "open loop"]);
    node(&mut svg, "bx gone", (50.0, 216.0), (240.0, 44.0), ["behind them", "not looked at"]);
    svg
}

fn behind(of: &Comparison, arms: [&ArmRecord; 2]) -> Markup {
    let columns = vec![words("Evidence"), numbers(&arms[0].name), numbers(&arms[1].name), words("How it is known")];
    let mut table = Table::new(format!("{}: both paths", of.name), columns);
    let mut row = |name: &str, of: fn(&ArmRecord) -> String, how: &str| {
        table.row(vec![text(name), text(of(arms[0])), text(of(arms[1])), text(how)]);
    };
    row("asked for", |arm| arm.service.clone().unwrap_or_else(|| arm.url.clone()), "as declared");
    row("looked up as", |arm| arm.address.clone(), "once, before the first request");
    row("requests sent", |arm| count(arm.requests), "ledger, all phases");
    row("without a good answer", |arm| count(arm.failed), "ledger");
    let body = |arm: &ArmRecord| arm.body_crc32.clone().unwrap_or_else(|| "changes".to_owned());
    row("CRC-32 of the body", body, "held against every answer");
    table.folded("path evidence")
}
