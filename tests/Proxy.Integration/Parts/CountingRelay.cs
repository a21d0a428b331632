using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;

namespace Proxy.Integration;

/// <summary>A request that passed a relay. <paramref name="Connection"/> counts from 1.</summary>
public sealed record RelayedRequest(int Connection, string Method, string Target, IReadOnlyDictionary<string, string> Headers);

/// <summary>
/// A relay between the proxy and a PACS that copies every byte unchanged and records the requests and the number of connections.
/// It proves that a request was not sent.
/// </summary>
public sealed class CountingRelay : IAsyncDisposable
{
    private readonly TcpListener _listener;
    private readonly CancellationTokenSource _end = new();
    private readonly ConcurrentQueue<RelayedRequest> _requests = [];
    private readonly int _target;
    private readonly Task _accepting;
    private int _connections;

    /// <param name="port">The loopback port of the PACS.</param>
    /// <param name="ownPort">The port of the relay, such as that of an earlier one; null for a free port.</param>
    public CountingRelay(int port, int? ownPort = null)
    {
        _listener = new(IPAddress.Loopback, ownPort ?? Readiness.FreePort());
        _target = port;
        _listener.Start();
        Port = ((IPEndPoint)_listener.LocalEndpoint).Port;
        _accepting = AcceptAsync();
    }

    public int Port { get; }

    /// <summary>The DICOMweb root of the Orthanc behind the relay, as a backend's <c>Address</c>.</summary>
    public string Address => $"http://127.0.0.1:{Port}/dicom-web";

    public int Connections => Volatile.Read(ref _connections);

    public IReadOnlyList<RelayedRequest> Requests => [.. _requests];

    public async ValueTask DisposeAsync()
    {
        await _end.CancelAsync();
        _listener.Stop();
        await _accepting;
        _end.Dispose();
    }

    private async Task AcceptAsync()
    {
        var open = new List<Task>();
        try
        {
            while (true)
            {
                var client = await _listener.AcceptSocketAsync(_end.Token);
                open.Add(RelayAsync(client, Interlocked.Increment(ref _connections)));
            }
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException or ObjectDisposedException)
        {
            await Task.WhenAll(open);
        }
    }

    private async Task RelayAsync(Socket client, int connection)
    {
        using var server = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        using (client)
        {
            client.NoDelay = server.NoDelay = true;
            try
            {
                await server.ConnectAsync(new IPEndPoint(IPAddress.Loopback, _target), _end.Token);
                var scanner = new RequestScanner((method, target, headers) => _requests.Enqueue(new(connection, method, target, headers)));
                await Task.WhenAll(CopyAsync(client, server, scanner.Read), CopyAsync(server, client, _ => { }));
            }
            catch (Exception e) when (e is OperationCanceledException or SocketException or ObjectDisposedException)
            {
                // One end closed, or the tests have ended: close both ends.
            }
        }
    }

    private async Task CopyAsync(Socket from, Socket to, Action<ReadOnlySpan<byte>> look)
    {
        var buffer = new byte[64 * 1024];
        try
        {
            while (await from.ReceiveAsync(buffer, _end.Token) is var count and > 0)
            {
                look(buffer.AsSpan(0, count));
                for (var sent = 0; sent < count;)
                    sent += await to.SendAsync(buffer.AsMemory(sent, count - sent), _end.Token);
            }

            to.Shutdown(SocketShutdown.Send);
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // Pass a reset of one end on to the other. The copy in the other direction then finds its sockets closed and ends, too.
            from.Close(0);
            to.Close(0);
            throw;
        }
    }
}
