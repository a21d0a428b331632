using System.Net.Sockets;
using System.Text;

namespace Proxy.Benchmarks;

/// <summary>A client that reads its answer slowly: its connection stays full until it disconnects.</summary>
internal sealed class SlowReader : IDisposable
{
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(250);

    private readonly Socket _socket;

    private SlowReader(Socket socket) => _socket = socket;

    /// <summary>Connects, sends the request and starts to read.</summary>
    /// <param name="root">The address of the proxy.</param>
    /// <param name="path">The requested path.</param>
    /// <param name="accept">The Accept header.</param>
    /// <param name="cancellation">Ends the reading.</param>
    public static async Task<SlowReader> StartAsync(Uri root, string path, string accept, CancellationToken cancellation)
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { ReceiveBufferSize = 16 * 1024 };
        await socket.ConnectAsync(root.Host, root.Port, cancellation);
        await socket.SendAsync(
            Encoding.ASCII.GetBytes($"GET /{path} HTTP/1.1\r\nHost: {root.Authority}\r\nAccept: {accept}\r\n\r\n"), cancellation);
        var reader = new SlowReader(socket);
        _ = reader.ReadAsync(cancellation);
        return reader;
    }

    /// <summary>The number of bytes received so far.</summary>
    public long Received { get; private set; }

    public void Dispose() => _socket.Dispose();

    private async Task ReadAsync(CancellationToken cancellation)
    {
        var buffer = new byte[4096];
        try
        {
            for (int count; (count = await _socket.ReceiveAsync(buffer, cancellation)) > 0; Received += count)
                await Task.Delay(Pause, TimeProvider.System, cancellation);
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException or ObjectDisposedException)
        {
            // It disconnected, or was disconnected.
        }
    }
}
