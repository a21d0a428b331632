using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Proxy.Cache.OnDisk;

/// <summary>What tells whether an open file is still the one that was verified: the time of its last write, and its size.</summary>
/// <param name="Seconds">The time of the last write, in seconds since 1970.</param>
/// <param name="Nanoseconds">The rest of that time.</param>
/// <param name="Size">The size in bytes.</param>
internal readonly partial record struct FileStamp(long Seconds, uint Nanoseconds, long Size)
{
    /// <summary>Flags of statx(2): the file itself instead of a path, and no question to the server of a network disk.</summary>
    private const int EmptyPath = 0x1000, DoNotSync = 0x4000;

    /// <summary>The fields to read: the number of names, the time of the last write, and the size.</summary>
    private const uint Wanted = 0x4 | 0x40 | 0x200;

    private static volatile bool _isMissing = !OperatingSystem.IsLinux() || !Environment.Is64BitProcess;

    /// <summary>Reads the stamp. It is in memory while the file is open, so that this waits for no disk.</summary>
    /// <returns>Null when the file was deleted or replaced, or the system does not tell.</returns>
    public static FileStamp? Read(SafeFileHandle file)
    {
        if (_isMissing) return null;
        try
        {
            return Statx(file, "", EmptyPath | DoNotSync, Wanted, out var status) == 0 && (status.Mask & Wanted) == Wanted
                && status.Names > 0
                    ? new(status.Seconds, status.Nanoseconds, status.Size)
                    : null;
        }
        catch (EntryPointNotFoundException)
        {
            _isMissing = true;
            return null;
        }
        catch (ObjectDisposedException)
        {
            return null;
        }
    }

    [LibraryImport("libc", EntryPoint = "statx", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Statx(SafeFileHandle file, string path, int flags, uint wanted, out Status status);

    /// <summary>The members of <c>struct statx</c> that are used.</summary>
    [StructLayout(LayoutKind.Explicit, Size = 256)]
    private struct Status
    {
        [FieldOffset(0)]
        public uint Mask;

        [FieldOffset(16)]
        public uint Names;

        [FieldOffset(40)]
        public long Size;

        [FieldOffset(112)]
        public long Seconds;

        [FieldOffset(120)]
        public uint Nanoseconds;
    }
}
