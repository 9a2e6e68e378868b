//! SQLite's own file system with a recorder before it: every write, cut, sync and removal is noted in the order in which
//! it happened, then done. It can also refuse writes, as a full disk or one that became read-only does.
//!
//! This is the only `unsafe` code of the tests, for a file system is a table of C functions. What it relies on:
//!
//! - SQLite gives each function the file or the file system that it was made for, and no file to two threads at once.
//! - A file of ours is [`Recorded`] at the start of memory that SQLite allots, `szOsFile` bytes of it, and the real file
//!   lies [`BEHIND`] bytes further, where the real file system alone looks at it. Nothing of ours needs to be dropped.
//! - The table and the file system live as long as the process.

#![allow(unsafe_code, reason = "a file system of SQLite is a table of C functions")]
#![allow(clippy::cast_ptr_alignment, reason = "SQLite allots files for any alignment, and BEHIND keeps it")]

use std::{
    ffi::{CStr, c_char, c_int, c_void},
    path::{Path, PathBuf},
    ptr, slice,
    sync::{
        Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicU8, Ordering},
    },
};

use rusqlite::ffi;

/// Something that happened to a file, by its number in [`Recording::names`].
#[derive(Clone, Debug)]
pub(crate) enum Op {
    Create(usize),
    Write {
        file: usize,
        at: usize,
        data: Vec<u8>,
    },
    Truncate {
        file: usize,
        size: usize,
    },
    Sync(usize),
    Delete(usize),
    /// What the test noted: everything before it was acknowledged.
    Mark(usize),
}

/// What happened to the files of one folder.
#[derive(Default)]
pub(crate) struct Recording {
    folder: Option<PathBuf>,
    pub(crate) names: Vec<String>,
    pub(crate) ops: Vec<Op>,
    pub(crate) bytes: usize,
}

/// What writes meet.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Weather {
    Fair,
    /// Files cannot grow.
    Full,
    /// Nothing can be written.
    ReadOnly,
}

static RECORDING: Mutex<Recording> =
    Mutex::new(Recording { folder: None, names: Vec::new(), ops: Vec::new(), bytes: 0 });
static WEATHER: AtomicU8 = AtomicU8::new(Weather::Fair as u8);
static REAL: OnceLock<System> = OnceLock::new();

/// The file system behind ours.
struct System(*mut ffi::sqlite3_vfs);

// SAFETY: SQLite's own file systems are made to be called from any thread, and live as long as the process.
unsafe impl Send for System {}
// SAFETY: as above.
unsafe impl Sync for System {}

#[repr(C)]
struct Recorded {
    base: ffi::sqlite3_file,
    /// Its number, or `usize::MAX` where it is not of the folder.
    number: usize,
}

/// Where the real file lies.
const BEHIND: usize = size_of::<Recorded>().next_multiple_of(16);

/// Records what happens in a folder from now on, in place of what was recorded before.
pub(crate) fn record(folder: &Path) {
    register();
    *recording() = Recording { folder: Some(folder.canonicalize().unwrap()), ..Recording::default() };
}

/// Ends the recording and answers with it.
pub(crate) fn stop() -> Recording {
    std::mem::take(&mut *recording())
}

/// Notes a mark.
pub(crate) fn mark(number: usize) {
    recording().ops.push(Op::Mark(number));
}

/// Bytes recorded so far.
pub(crate) fn recorded() -> usize {
    recording().bytes
}

pub(crate) fn set(weather: Weather) {
    WEATHER.store(weather as u8, Ordering::SeqCst);
}

fn weather() -> u8 {
    WEATHER.load(Ordering::SeqCst)
}

fn recording() -> MutexGuard<'static, Recording> {
    RECORDING.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Recording {
    fn number(&mut self, path: &Path) -> usize {
        let (Some(folder), Some(parent), Some(name)) = (&self.folder, path.parent(), path.file_name()) else {
            return usize::MAX;
        };
        if folder != parent {
            return usize::MAX;
        }
        let name = name.to_str().unwrap();
        self.names.iter().position(|known| known == name).unwrap_or_else(|| {
            self.names.push(name.to_owned());
            self.names.len() - 1
        })
    }
}

/// Makes ours the file system that connections get by default.
fn register() {
    REAL.get_or_init(|| {
        // SAFETY: a null name asks for the default, which SQLite never frees; ours is leaked, so both outlive all calls.
        // A copy of the default's table stays valid for the functions that are not replaced: they look at its public
        // fields only, and `pAppData` is copied with them.
        unsafe {
            let real = ffi::sqlite3_vfs_find(ptr::null());
            assert!(!real.is_null());
            let mut ours = *real;
            ours.szOsFile = BEHIND as c_int + (*real).szOsFile;
            ours.pNext = ptr::null_mut();
            ours.zName = c"recorded".as_ptr();
            ours.xOpen = Some(open);
            ours.xDelete = Some(delete);
            assert_eq!(ffi::sqlite3_vfs_register(Box::leak(Box::new(ours)), 1), ffi::SQLITE_OK);
            System(real)
        }
    });
}

fn real_system() -> *mut ffi::sqlite3_vfs {
    REAL.get().unwrap().0
}

/// The path that SQLite gave.
///
/// # Safety
/// `name` is null or ends with a NUL.
unsafe fn path(name: *const c_char) -> Option<PathBuf> {
    // SAFETY: the caller's promise.
    (!name.is_null()).then(|| PathBuf::from(unsafe { CStr::from_ptr(name) }.to_str().unwrap()))
}

unsafe extern "C" fn open(
    _: *mut ffi::sqlite3_vfs,
    name: *const c_char,
    file: *mut ffi::sqlite3_file,
    flags: c_int,
    out: *mut c_int,
) -> c_int {
    // SAFETY: SQLite gives `szOsFile` bytes at `file`, of which the real file's part begins at `BEHIND`.
    unsafe {
        let ours = file.cast::<Recorded>();
        let path = path(name);
        let existed = path.as_ref().is_some_and(|path| path.exists());
        let mut recording = recording();
        let code = (*real_system()).xOpen.unwrap()(real_system(), name, real(file), flags, out);
        (*ours).base.pMethods = if code == ffi::SQLITE_OK { &raw const METHODS } else { ptr::null() };
        (*ours).number = path.map_or(usize::MAX, |path| recording.number(&path));
        if code == ffi::SQLITE_OK && !existed && (*ours).number != usize::MAX {
            recording.ops.push(Op::Create((*ours).number));
        }
        code
    }
}

unsafe extern "C" fn delete(_: *mut ffi::sqlite3_vfs, name: *const c_char, sync_dir: c_int) -> c_int {
    // SAFETY: the name is SQLite's.
    unsafe {
        let mut recording = recording();
        let code = (*real_system()).xDelete.unwrap()(real_system(), name, sync_dir);
        let number = path(name).map_or(usize::MAX, |path| recording.number(&path));
        if code == ffi::SQLITE_OK && number != usize::MAX {
            recording.ops.push(Op::Delete(number));
        }
        code
    }
}

/// The real file behind ours.
///
/// # Safety
/// `file` is one that SQLite allotted for this file system.
unsafe fn real(file: *mut ffi::sqlite3_file) -> *mut ffi::sqlite3_file {
    // SAFETY: the memory is at least `BEHIND` bytes longer than a real file.
    unsafe { file.cast::<u8>().add(BEHIND).cast() }
}

/// Passes a call on to the real file.
macro_rules! forward {
    ($name:ident, $method:ident $(, $argument:ident: $type:ty)*) => {
        unsafe extern "C" fn $name(file: *mut ffi::sqlite3_file $(, $argument: $type)*) -> c_int {
            // SAFETY: an open file of ours has an open real one behind it, whose table has all of version 2.
            unsafe { (*(*real(file)).pMethods).$method.unwrap()(real(file) $(, $argument)*) }
        }
    };
}

forward!(close, xClose);
forward!(read, xRead, to: *mut c_void, length: c_int, at: i64);
forward!(real_write, xWrite, from: *const c_void, length: c_int, at: i64);
forward!(real_truncate, xTruncate, size: i64);
forward!(real_sync, xSync, flags: c_int);
forward!(file_size, xFileSize, size: *mut i64);
forward!(lock, xLock, level: c_int);
forward!(unlock, xUnlock, level: c_int);
forward!(check_reserved, xCheckReservedLock, answer: *mut c_int);
forward!(control, xFileControl, what: c_int, argument: *mut c_void);
forward!(sector_size, xSectorSize);
forward!(characteristics, xDeviceCharacteristics);
forward!(shm_map, xShmMap, page: c_int, size: c_int, extend: c_int, to: *mut *mut c_void);
forward!(shm_lock, xShmLock, offset: c_int, count: c_int, flags: c_int);
forward!(shm_unmap, xShmUnmap, remove: c_int);

unsafe extern "C" fn shm_barrier(file: *mut ffi::sqlite3_file) {
    // SAFETY: as in `forward`.
    unsafe { (*(*real(file)).pMethods).xShmBarrier.unwrap()(real(file)) }
}

unsafe extern "C" fn write(file: *mut ffi::sqlite3_file, from: *const c_void, length: c_int, at: i64) -> c_int {
    // SAFETY: `from` holds `length` bytes, and the file is open.
    unsafe {
        let number = (*file.cast::<Recorded>()).number;
        if number == usize::MAX {
            return real_write(file, from, length, at);
        }
        if weather() == Weather::ReadOnly as u8 {
            return ffi::SQLITE_IOERR_WRITE;
        }
        if weather() == Weather::Full as u8 {
            let mut size = 0;
            file_size(file, &raw mut size);
            if at + i64::from(length) > size {
                return ffi::SQLITE_FULL;
            }
        }
        let mut recording = recording();
        let code = real_write(file, from, length, at);
        if code == ffi::SQLITE_OK {
            let data = slice::from_raw_parts(from.cast::<u8>(), length as usize).to_vec();
            recording.bytes += data.len();
            recording.ops.push(Op::Write { file: number, at: at as usize, data });
        }
        code
    }
}

unsafe extern "C" fn truncate(file: *mut ffi::sqlite3_file, size: i64) -> c_int {
    // SAFETY: the file is open.
    unsafe {
        let number = (*file.cast::<Recorded>()).number;
        if number != usize::MAX && weather() == Weather::ReadOnly as u8 {
            return ffi::SQLITE_IOERR_TRUNCATE;
        }
        let mut recording = recording();
        let code = real_truncate(file, size);
        if code == ffi::SQLITE_OK && number != usize::MAX {
            recording.ops.push(Op::Truncate { file: number, size: size as usize });
        }
        code
    }
}

unsafe extern "C" fn sync(file: *mut ffi::sqlite3_file, flags: c_int) -> c_int {
    // SAFETY: the file is open.
    unsafe {
        let number = (*file.cast::<Recorded>()).number;
        let mut recording = recording();
        let code = real_sync(file, flags);
        if code == ffi::SQLITE_OK && number != usize::MAX {
            recording.ops.push(Op::Sync(number));
        }
        code
    }
}

/// Without `xFetch`: nothing of ours maps files.
static METHODS: ffi::sqlite3_io_methods = ffi::sqlite3_io_methods {
    iVersion: 2,
    xClose: Some(close),
    xRead: Some(read),
    xWrite: Some(write),
    xTruncate: Some(truncate),
    xSync: Some(sync),
    xFileSize: Some(file_size),
    xLock: Some(lock),
    xUnlock: Some(unlock),
    xCheckReservedLock: Some(check_reserved),
    xFileControl: Some(control),
    xSectorSize: Some(sector_size),
    xDeviceCharacteristics: Some(characteristics),
    xShmMap: Some(shm_map),
    xShmLock: Some(shm_lock),
    xShmBarrier: Some(shm_barrier),
    xShmUnmap: Some(shm_unmap),
    xFetch: None,
    xUnfetch: None,
};
