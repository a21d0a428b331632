using System.Net.Sockets;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Proxy.Operations.Output;

/// <summary>What one call has sent.</summary>
/// <param name="Bytes">The number of bytes.</param>
/// <param name="IsFull">True when the socket takes no more for now.</param>
/// <param name="End">Why no more can be sent.</param>
internal sealed record FileSent(long Bytes, bool IsFull = false, FileSendEnd End = FileSendEnd.None);

/// <summary>Why the rest of a file cannot be sent.</summary>
internal enum FileSendEnd
{
    /// <summary>It can.</summary>
    None,

    /// <summary>The file is shorter than expected.</summary>
    Truncated,

    /// <summary>The client is gone.</summary>
    Disconnected,
}

/// <summary>Sends bytes of a file from the page cache to a socket (sendfile(2)). The runtime offers this for whole files only.</summary>
internal static partial class FileSend
{
    /// <summary>The maximum of bytes in one call: a slow disk delays it for less than its time limit.</summary>
    private const long MaxBytes = 4L << 20;

    /// <summary>The number of the system call, the same on all processors.</summary>
    private const int CacheStat = 451;

    /// <summary>Error numbers of Linux.</summary>
    private const int Interrupted = 4, InputOutput = 5, WouldBlock = 11;

    private static volatile bool _cannotTell = !OperatingSystem.IsLinux() || !Environment.Is64BitProcess;

    /// <summary>Whether the system has the call.</summary>
    public static bool IsSupported { get; } = OperatingSystem.IsLinux() && Environment.Is64BitProcess;

    /// <summary>Whether bytes of a file are in the page cache, so that sending them does not wait for the disk.</summary>
    /// <returns>False where the system does not tell (cachestat(2), Linux 6.5): then it may wait.</returns>
    public static bool IsInMemory(SafeFileHandle file, long offset, long count)
    {
        if (_cannotTell) return false;
        var range = new PageRange(offset, Math.Min(count, MaxBytes));
        var isAdded = false;
        PageCount pages;
        try
        {
            file.DangerousAddRef(ref isAdded);
            if (GetPages(CacheStat, file.DangerousGetHandle(), in range, out pages, 0) != 0)
            {
                _cannotTell = true;
                return false;
            }
        }
        catch (ObjectDisposedException)
        {
            return false;
        }
        finally
        {
            if (isAdded) file.DangerousRelease();
        }
        var (first, last) = (range.Offset / Environment.SystemPageSize, (range.Offset + range.Count - 1) / Environment.SystemPageSize);
        return pages.Cached >= last - first + 1;
    }

    /// <summary>Sends bytes until all are sent or the socket takes no more. May block on the disk, and never on the client.</summary>
    /// <param name="socket">The socket of a connection that has received something, so that the runtime has made it non-blocking.</param>
    /// <param name="file">The file.</param>
    /// <param name="offset">The offset in the file.</param>
    /// <param name="count">The number of bytes.</param>
    /// <exception cref="IOException">The disk failed.</exception>
    public static FileSent Send(Socket socket, SafeFileHandle file, long offset, long count)
    {
        count = Math.Min(count, MaxBytes);
        var sent = 0L;
        try
        {
            while (sent < count)
            {
                var now = SendFile(socket.SafeHandle, file, ref offset, (nint)(count - sent));
                if (now == 0) return new(sent, End: FileSendEnd.Truncated);
                if (now > 0)
                {
                    sent += now;
                    continue;
                }
                var error = Marshal.GetLastPInvokeError();
                if (error == WouldBlock) return new(sent, IsFull: true);
                if (error == InputOutput) throw new IOException("A file could not be read.");
                if (error != Interrupted) return new(sent, End: FileSendEnd.Disconnected);
            }
        }
        catch (ObjectDisposedException)
        {
            return new(sent, End: FileSendEnd.Disconnected);
        }
        return new(sent);
    }

    [LibraryImport("libc", EntryPoint = "syscall")]
    private static partial nint GetPages(nint number, nint file, in PageRange range, out PageCount pages, nint flags);

    [LibraryImport("libc", EntryPoint = "sendfile", SetLastError = true)]
    private static partial nint SendFile(SafeSocketHandle socket, SafeFileHandle file, ref long offset, nint count);

    /// <summary><c>struct cachestat_range</c>.</summary>
    private readonly record struct PageRange(long Offset, long Count);

    /// <summary><c>struct cachestat</c>: the number of pages in each state.</summary>
    private readonly record struct PageCount(long Cached, long Dirty, long WritingBack, long Evicted, long RecentlyEvicted);
}
