//! What only the C library offers: a call at the end of the process, one in a forked child, and signals.
#![allow(unsafe_code, reason = "these are calls of the C library; what each relies on stands beside it")]

use std::{
    io, mem, ptr,
    sync::atomic::{AtomicI32, AtomicUsize, Ordering},
};

use libc::{c_int, c_void, siginfo_t};

/// Has `hook` called on the thread that ends the process, while all others still run. `hook` must not unwind.
pub(super) fn at_exit(hook: extern "C" fn()) {
    // SAFETY: any function without arguments may be registered, and ours stays where it is as long as the process, or
    // the library that it is part of: the C library then calls it when that is unloaded.
    let _ = unsafe { libc::atexit(hook) };
}

/// Has `child` called in the child of each fork, before it goes on. `child` must not take a lock.
pub(super) fn at_fork(child: extern "C" fn()) {
    // SAFETY: a safe function may be called where an unsafe one may; it has the same lifetime as above.
    let _ = unsafe { libc::pthread_atfork(None, None, Some(child)) };
}

/// Descriptors that a forked child is not to have. More than these are few: the child then has them.
static UNSHARED: [AtomicI32; 256] = [const { AtomicI32::new(-1) }; 256];

/// Has that descriptor closed in the children of later forks.
pub(super) fn unshare(descriptor: c_int) {
    let put = |place: &AtomicI32| place.compare_exchange(-1, descriptor, Ordering::Relaxed, Ordering::Relaxed).is_ok();
    let _ = UNSHARED.iter().any(put);
}

/// It is about to be closed.
pub(super) fn share_again(descriptor: c_int) {
    let take = |place: &AtomicI32| place.compare_exchange(descriptor, -1, Ordering::Release, Ordering::Relaxed).is_ok();
    let _ = UNSHARED.iter().any(take);
}

/// In a forked child: closes what is its parent's.
pub(super) fn close_unshared() {
    for place in &UNSHARED {
        let descriptor = place.swap(-1, Ordering::Relaxed);
        if descriptor >= 0 {
            // SAFETY: it was open when the process forked, and what held it is its parent's, never touched here.
            unsafe { libc::close(descriptor) };
        }
    }
}

/// Writes to standard error past the standard library, as much as a pipe takes at once; nothing where nobody reads it,
/// which would end a program that has not turned `SIGPIPE` off.
pub(crate) fn write_error(text: &str) {
    /// What every pipe takes at once.
    const MOST: usize = 512;
    const WAIT_MS: c_int = 100;
    if !is_standard(libc::STDERR_FILENO) {
        return;
    }
    for part in text.as_bytes().chunks(MOST) {
        let mut error = libc::pollfd { fd: libc::STDERR_FILENO, events: libc::POLLOUT, revents: 0 };
        // SAFETY: there is one `pollfd`, and `part` has as many bytes as are said.
        unsafe {
            if libc::poll(&raw mut error, 1, WAIT_MS) != 1 || error.revents != libc::POLLOUT {
                return;
            }
            libc::write(libc::STDERR_FILENO, part.as_ptr().cast(), part.len());
        }
    }
}

/// Whether that is what its number says. A program that closes one of the first three gets its number for the next file
/// or socket that it opens; those are not for the programs that it starts.
fn is_standard(descriptor: c_int) -> bool {
    // SAFETY: a question about a number, which may be no descriptor.
    unsafe { libc::fcntl(descriptor, libc::F_GETFD) == 0 }
}

/// How large a file may become that this process writes to (`ulimit -f`).
pub(crate) fn largest_file() -> u64 {
    let mut limit = libc::rlimit { rlim_cur: libc::RLIM_INFINITY, rlim_max: libc::RLIM_INFINITY };
    // SAFETY: there is room for the answer. Where there is none, there is no limit.
    unsafe { libc::getrlimit(libc::RLIMIT_FSIZE, &raw mut limit) };
    #[allow(clippy::unnecessary_cast, reason = "it is signed on some systems")]
    let largest = limit.rlim_cur as u64;
    largest
}

/// Runs `body`, which starts a thread, so that no signal is ever delivered to that thread: the program may want them all
/// for threads of its own (`sigwait`, `signalfd`), and what nobody reads on a connection is no reason to end.
pub(crate) fn without_signals<R>(body: impl FnOnce() -> R) -> R {
    // SAFETY: both sets are made before they are read, and the thread has afterwards what it had before.
    unsafe {
        let (mut all, mut before): (libc::sigset_t, libc::sigset_t) = (mem::zeroed(), mem::zeroed());
        libc::sigfillset(&raw mut all);
        // What the thread itself does wrong comes to it all the same.
        for own in [libc::SIGSEGV, libc::SIGBUS, libc::SIGFPE, libc::SIGILL, libc::SIGTRAP, libc::SIGABRT] {
            libc::sigdelset(&raw mut all, own);
        }
        let is_set = libc::pthread_sigmask(libc::SIG_SETMASK, &raw const all, &raw mut before) == 0;
        let result = body();
        if is_set {
            libc::pthread_sigmask(libc::SIG_SETMASK, &raw const before, ptr::null_mut());
        }
        result
    }
}

/// The signals that a program may be ended by.
const SIGNALS: [c_int; 2] = [libc::SIGTERM, libc::SIGINT];

/// What handled each of them before: the address of a function, or `SIG_DFL`.
static PREVIOUS: [AtomicUsize; 2] = [const { AtomicUsize::new(libc::SIG_DFL) }; 2];
/// Whether that function takes three arguments.
static PREVIOUS_FLAGS: [AtomicI32; 2] = [const { AtomicI32::new(0) }; 2];
/// Where the handler writes the number of the signal.
static PIPE: AtomicI32 = AtomicI32::new(-1);
/// The process that reads there: a child inherits the pipe.
static READER: AtomicI32 = AtomicI32::new(0);

/// Signals as they come in.
#[derive(Debug)]
pub(super) struct Signals(c_int);

impl Signals {
    /// Handles the signals from now on. In a child of a process that did, only the pipe is made anew.
    pub(super) fn watch() -> io::Result<Self> {
        let mut ends: [c_int; 2] = [-1; 2];
        // SAFETY: `ends` has room for the two numbers that are written.
        if unsafe { libc::pipe(ends.as_mut_ptr()) } != 0 {
            return Err(io::Error::last_os_error());
        }
        for end in ends {
            // SAFETY: plain calls on a descriptor that was just made. Programs that are started do not inherit it.
            unsafe { libc::fcntl(end, libc::F_SETFD, libc::FD_CLOEXEC) };
        }
        // SAFETY: as above. The handler must never wait, even if thousands of signals are not read yet.
        unsafe { libc::fcntl(ends[1], libc::F_SETFL, libc::O_NONBLOCK) };
        PIPE.store(ends[1], Ordering::Relaxed);
        // SAFETY: it cannot fail and has no arguments.
        let first = READER.swap(unsafe { libc::getpid() }, Ordering::Release) == 0;
        if first {
            for (index, signal) in SIGNALS.into_iter().enumerate() {
                handle(index, signal)?;
            }
        }
        Ok(Self(ends[0]))
    }

    /// Waits for the next.
    pub(super) fn next(&self) -> Option<c_int> {
        let mut signal = 0_u8;
        loop {
            // SAFETY: there is room for the one byte that is read.
            match unsafe { libc::read(self.0, (&raw mut signal).cast::<c_void>(), 1) } {
                1 => return Some(c_int::from(signal)),
                -1 if io::Error::last_os_error().kind() == io::ErrorKind::Interrupted => {}
                _ => return None,
            }
        }
    }
}

/// Installs the handler, unless the signal is ignored: that is somebody's will.
fn handle(index: usize, signal: c_int) -> io::Result<()> {
    // SAFETY: all zeros are a valid `sigaction`.
    let (mut action, mut previous): (libc::sigaction, libc::sigaction) = unsafe { (mem::zeroed(), mem::zeroed()) };
    // SAFETY: a null action asks only; `previous` has room for the answer.
    if unsafe { libc::sigaction(signal, ptr::null(), &raw mut previous) } != 0 {
        return Err(io::Error::last_os_error());
    }
    if previous.sa_sigaction == libc::SIG_IGN {
        return Ok(());
    }
    PREVIOUS[index].store(previous.sa_sigaction, Ordering::Relaxed);
    PREVIOUS_FLAGS[index].store(previous.sa_flags, Ordering::Release);
    action.sa_sigaction = on_signal as *const () as usize;
    action.sa_flags = libc::SA_SIGINFO | libc::SA_RESTART | libc::SA_ONSTACK;
    // SAFETY: `action` is whole: an empty mask, a handler of the form that `SA_SIGINFO` asks for, and flags.
    if unsafe { libc::sigaction(signal, &raw const action, ptr::null_mut()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// Runs between any two instructions of any thread: it takes no lock, allocates nothing, and calls what POSIX allows here.
extern "C" fn on_signal(signal: c_int, info: *mut siginfo_t, context: *mut c_void) {
    /// The signals that were passed on and are not dealt with yet.
    static UNDER_WAY: AtomicI32 = AtomicI32::new(0);
    let ours = ends_process(signal);
    // SAFETY: it cannot fail and has no arguments.
    let read_here = READER.load(Ordering::Acquire) == unsafe { libc::getpid() };
    let first = UNDER_WAY.swap(signal, Ordering::Relaxed) == 0;
    if ours && !(first && read_here) {
        return end_by(signal);
    }
    if read_here {
        let byte = signal as u8;
        // SAFETY: one byte is there to be written; what `write` leaves in `errno` is put back, for the code that was
        // interrupted may be about to read it.
        unsafe {
            let errno = errno();
            let saved = *errno;
            libc::write(PIPE.load(Ordering::Relaxed), (&raw const byte).cast(), 1);
            *errno = saved;
        }
    }
    if !ours {
        UNDER_WAY.store(0, Ordering::Relaxed);
        call_previous(signal, info, context);
    }
}

/// The handler that was there before ours, if that was one.
fn call_previous(signal: c_int, info: *mut siginfo_t, context: *mut c_void) {
    let Some(index) = SIGNALS.iter().position(|known| *known == signal) else { return };
    let flags = PREVIOUS_FLAGS[index].load(Ordering::Acquire);
    let previous = PREVIOUS[index].load(Ordering::Relaxed);
    if previous == libc::SIG_DFL || previous == libc::SIG_IGN {
        return;
    }
    // SAFETY: the kernel gave out this address as the handler of this signal, and the flags say which form it has.
    unsafe {
        if flags & libc::SA_SIGINFO == 0 {
            let handler: extern "C" fn(c_int) = mem::transmute(previous);
            handler(signal);
        } else {
            let handler: extern "C" fn(c_int, *mut siginfo_t, *mut c_void) = mem::transmute(previous);
            handler(signal, info, context);
        }
    }
}

/// Whether the process would have ended of this signal without us: nobody handled it before, or does since.
pub(super) fn ends_process(signal: c_int) -> bool {
    let Some(index) = SIGNALS.iter().position(|known| *known == signal) else { return false };
    // SAFETY: all zeros are a valid `sigaction`; a null action asks only.
    let current = unsafe {
        let mut current: libc::sigaction = mem::zeroed();
        libc::sigaction(signal, ptr::null(), &raw mut current);
        current.sa_sigaction
    };
    current == on_signal as *const () as usize && PREVIOUS[index].load(Ordering::Relaxed) == libc::SIG_DFL
}

/// Ends the process as the signal would have.
pub(super) fn end_by(signal: c_int) {
    // SAFETY: both may be called anywhere, a signal handler included.
    unsafe {
        libc::signal(signal, libc::SIG_DFL);
        libc::kill(libc::getpid(), signal);
    }
}

/// Where the last error of this thread stands.
fn errno() -> *mut c_int {
    // SAFETY: these take no arguments and return the address of a variable of this thread.
    #[cfg(any(target_os = "linux", target_os = "emscripten", target_os = "hurd", target_os = "redox"))]
    return unsafe { libc::__errno_location() };
    #[cfg(any(
        target_os = "macos",
        target_os = "ios",
        target_os = "tvos",
        target_os = "watchos",
        target_os = "freebsd"
    ))]
    // SAFETY: as above.
    return unsafe { libc::__error() };
    #[cfg(any(target_os = "android", target_os = "netbsd", target_os = "openbsd", target_os = "cygwin"))]
    // SAFETY: as above.
    return unsafe { libc::__errno() };
    #[cfg(any(target_os = "solaris", target_os = "illumos"))]
    // SAFETY: as above.
    return unsafe { libc::___errno() };
    #[cfg(not(any(
        target_os = "linux",
        target_os = "emscripten",
        target_os = "hurd",
        target_os = "redox",
        target_os = "macos",
        target_os = "ios",
        target_os = "tvos",
        target_os = "watchos",
        target_os = "freebsd",
        target_os = "android",
        target_os = "netbsd",
        target_os = "openbsd",
        target_os = "cygwin",
        target_os = "solaris",
        target_os = "illumos"
    )))]
    {
        // Elsewhere it is not put back.
        static NOWHERE: AtomicI32 = AtomicI32::new(0);
        NOWHERE.as_ptr()
    }
}
