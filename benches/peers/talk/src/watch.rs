//! A process that does not come back after a panic is ended: burn, for one, goes on after some panics (of a
//! candidate that is tuned, say) and hangs after others.

use std::process;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// How long after a panic a run may still come to its end.
const PATIENCE: Duration = Duration::from_secs(300);

/// The last panic since the last run that came to its end.
#[derive(Debug, Clone, Default)]
pub struct Watch {
    last: Arc<Mutex<Option<(Instant, String)>>>,
}

impl Watch {
    /// Watches from now on.
    pub fn start() -> Self {
        let watch = Self::default();
        let noted = watch.clone();
        std::panic::set_hook(Box::new(move |panic| {
            let text = panic.to_string().replace('\n', " ");
            eprintln!("{text}");
            noted.set(Some((Instant::now(), text)));
        }));
        let seen = watch.clone();
        thread::spawn(move || {
            loop {
                thread::sleep(Duration::from_secs(1));
                let last = seen.last.lock().unwrap_or_else(PoisonError::into_inner).clone();
                if let Some((at, text)) = last
                    && at.elapsed() > PATIENCE
                {
                    eprintln!("nothing for {} s after a panic: {text}", PATIENCE.as_secs());
                    process::exit(101);
                }
            }
        });
        watch
    }

    /// A run has come to its end: an earlier panic did no harm.
    pub fn well(&self) {
        self.set(None);
    }

    fn set(&self, value: Option<(Instant, String)>) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = value;
    }
}
