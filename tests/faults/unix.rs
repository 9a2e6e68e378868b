//! What only the C library offers.
#![allow(unsafe_code, reason = "calls of the C library on plain numbers")]

/// Ends the process without any of its hooks.
pub(crate) fn exit_at_once() -> ! {
    exit_with(3)
}

pub(crate) fn exit_with(code: i32) -> ! {
    // SAFETY: it takes a number and does not return.
    unsafe { libc::_exit(code) }
}

/// Has `hook` called at the end of the process, behind what is registered later.
pub(crate) fn at_exit(hook: extern "C" fn()) {
    // SAFETY: any function without arguments may be registered.
    assert_eq!(unsafe { libc::atexit(hook) }, 0);
}

/// `None` in the child, whose id the parent gets.
pub(crate) fn fork() -> Option<i32> {
    // SAFETY: the child goes on with code that needs no other thread of the parent: that is what is tested.
    match unsafe { libc::fork() } {
        0 => None,
        child => Some(child),
    }
}

pub(crate) fn wait_for(child: i32) {
    let mut status = 0;
    // SAFETY: `status` has room for the one number that is written.
    assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
    assert_eq!(status, 0, "the child failed");
}

pub(crate) fn send(signal: i32, process: u32) {
    // SAFETY: it takes two numbers.
    assert_eq!(unsafe { libc::kill(process as i32, signal) }, 0);
}

/// Has the signals that ask for an end end this process, whoever started it.
pub(crate) fn ignore_no_signals() {
    for signal in [libc::SIGTERM, libc::SIGINT] {
        // SAFETY: the system's own handler takes the place of whatever was there.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
}

/// From now on no file of this process may be longer, as if the disk were full. Whoever writes beyond that is killed.
pub(crate) fn limit_files(most: u64) {
    let limit = libc::rlimit { rlim_cur: most, rlim_max: most };
    // SAFETY: `limit` is whole.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_FSIZE, &raw const limit) }, 0);
}

/// From now on whoever writes to what nobody reads is killed, as programs are that are written in C.
pub(crate) fn die_of_pipes() {
    // SAFETY: the system's own handler takes the place of the standard library's.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
}

/// Has this process end of a signal after so many seconds.
pub(crate) fn die_after(seconds: u32) {
    // SAFETY: it takes a number.
    unsafe { libc::alarm(seconds) };
}

/// As some daemons do.
pub(crate) fn close_standard() {
    for descriptor in 0..3 {
        // SAFETY: whoever uses them is told that there is nothing.
        unsafe { libc::close(descriptor) };
    }
}
