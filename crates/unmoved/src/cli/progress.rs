//! How far a run has come: a bar on a terminal, else a note now and then.

use super::Output;
use indicatif::{HumanDuration, ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::IsTerminal as _;
use std::time::{Duration, Instant};
use unmoved::evaluate::run::{Kind, Record, Word};
use unmoved::evaluate::work::{Event, Work};

/// How often a note is written where there is no terminal.
const NOTE: Duration = Duration::from_secs(30);

pub(crate) struct Bar {
    output: Output,
    bar: ProgressBar,
    begin: Instant,
    next_note: Instant,
    /// What a question may take at most.
    limit: Option<Duration>,
    threads: usize,
    /// Questions that are open, and those answered since.
    open: usize,
    done: usize,
    counts: [usize; 3],
    is_measured: bool,
}

impl Bar {
    pub(crate) fn new(output: Output, work: &Work) -> Self {
        let is_shown = !output.quiet && std::io::stderr().is_terminal();
        let bar = ProgressBar::with_draw_target(
            None,
            if is_shown { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() },
        );
        if let Ok(style) = ProgressStyle::with_template("{wide_bar} {pos}/{len}  {msg}") {
            bar.set_style(style);
        }
        let now = Instant::now();
        Self {
            output,
            bar,
            begin: now,
            next_note: now + NOTE,
            limit: work.options.time_limit,
            threads: work.options.threads,
            open: 0,
            done: 0,
            counts: [0; 3],
            is_measured: work.asked.kind != Kind::Radii,
        }
    }

    pub(crate) fn tell(&mut self, event: &Event<'_>) {
        match event {
            Event::Note(text) => self.output.note(format_args!("note: {text}")),
            Event::Begins { questions, open } => {
                (self.open, self.begin) = (*open, Instant::now());
                self.bar.set_length(*questions as u64);
                self.bar.set_position((questions - open) as u64);
                if open < questions {
                    self.output.note(format_args!("{} of {questions} questions have an answer", questions - open));
                }
            }
            Event::Recorded { record, hard } => self.recorded(record, *hard),
        }
    }

    fn recorded(&mut self, record: &Record, hard: usize) {
        self.done += 1;
        self.counts[match record.verdict {
            Word::Robust | Word::Measured => 0,
            Word::Violated => 1,
            Word::Unknown => 2,
        }] += 1;
        let (now, is_last) = (Instant::now(), self.done == self.open);
        if self.output.quiet || self.bar.is_hidden() && now < self.next_note {
            return;
        }
        let [safe, violated, unknown] = self.counts;
        let left = self.left(hard).filter(|_| !is_last).map(|left| format!(", {left}")).unwrap_or_default();
        let message = match self.is_measured {
            true => format!("{safe} measured, {unknown} unknown{left}"),
            false => format!("{safe} robust, {violated} violated, {unknown} unknown{left}"),
        };
        if self.bar.is_hidden() {
            self.next_note = now + NOTE;
            self.output.note(format_args!("{} of {}: {message}", self.done, self.open));
        } else {
            self.bar.set_message(message);
            self.bar.inc(1);
        }
    }

    /// How long it will take. While images have their first attempt, which is short, that goes by how fast they went so far; what is
    /// hard may take all the time that it has.
    fn left(&self, hard: usize) -> Option<String> {
        let easy = self.open.saturating_sub(self.done + hard);
        let pace = self.begin.elapsed().as_secs_f64() / self.done as f64;
        let hard_at_most = self.limit.map(|limit| limit.as_secs_f64() * hard.div_ceil(self.threads) as f64);
        let time = |seconds: f64| HumanDuration(Duration::from_secs_f64(seconds.clamp(0.0, 1e9))).to_string();
        match (easy, hard, hard_at_most) {
            (0, 0, _) => None,
            (0, hard, Some(most)) => Some(format!("{hard} hard, at most {}", time(most))),
            (easy, 0, _) => Some(format!("{} left", time(pace * easy as f64))),
            (easy, hard, Some(most)) => {
                let easy = time(pace * easy as f64);
                Some(format!("{easy} left and at most {} for {hard} hard", time(most)))
            }
            (_, hard, None) => Some(format!("{hard} hard")),
        }
    }

    /// Writes something to standard output in between.
    pub(crate) fn aside(&self, write: impl FnOnce()) {
        self.bar.suspend(write);
    }

    pub(crate) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
