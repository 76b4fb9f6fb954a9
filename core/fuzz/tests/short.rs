//! Every target over the golden vectors, the corpus, and a fixed number of inputs made of them: the
//! same ones each time, on any machine.

use cc_fuzz::{committed, find, seeds, Mutator};

fn hold(name: &str) {
    let target = find(name).expect("a target of this name");
    let mut pool = seeds(name);
    pool.extend(committed(name));
    pool.push(Vec::new());
    assert!(pool.iter().all(|input| input.len() <= target.max_len), "an input that is kept is too long");
    for input in &pool {
        tried(name, input, || (target.run)(input));
    }
    let mut mutator = Mutator::new(20, pool, target.max_len);
    for _ in 0..target.short_run {
        let input = mutator.next_input();
        tried(name, &input, || (target.run)(&input));
    }
}

/// Runs one input and, if it fails, says how to repeat it.
fn tried(name: &str, input: &[u8], run: impl FnOnce() + std::panic::UnwindSafe) {
    if let Err(panic) = std::panic::catch_unwind(run) {
        let hex: String = input.iter().map(|byte| format!("{byte:02x}")).collect();
        eprintln!("{name} does not hold; as a line of corpus/{name}.hex it is tried every time:\n{hex}");
        std::panic::resume_unwind(panic);
    }
}

macro_rules! targets {
    ($($name:ident)*) => {
        $(#[test]
        fn $name() {
            hold(stringify!($name));
        })*

        #[test]
        fn none_is_left_out() {
            let here = [$(stringify!($name)),*];
            assert_eq!(cc_fuzz::TARGETS.iter().map(|target| target.name).collect::<Vec<_>>(), here);
        }
    };
}

targets!(
    integer message fields datagram stream objects fetch properties names token profile trace session queue engine opus door abi
);
