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

    /// <summary>Error numbers of Linux.</summary>
    private const int Interrupted = 4, InputOutput = 5, WouldBlock = 11;

    /// <summary>Whether the system has the call.</summary>
    public static bool IsSupported { get; } = OperatingSystem.IsLinux() && Environment.Is64BitProcess;

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

    [LibraryImport("libc", EntryPoint = "sendfile", SetLastError = true)]
    private static partial nint SendFile(SafeSocketHandle socket, SafeFileHandle file, ref long offset, nint count);
}
