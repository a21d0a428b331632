using System.Net;
using System.Net.Sockets;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Proxy.Operations;
using Proxy.Operations.Output;
using Xunit;

namespace Proxy.Tests.Operations.Output;

/// <summary>A server with one endpoint on connections of the proxy, and raw clients with small socket buffers.</summary>
internal sealed class OutputHost : IAsyncDisposable
{
    /// <summary>The buffer of each socket: a body of some megabytes is always sent in parts.</summary>
    private const int BufferBytes = 16 * 1024;

    private readonly WebApplication _app;

    private OutputHost(WebApplication app) => _app = app;

    public ResponseSteps Steps => _app.Services.GetRequiredService<ResponseSteps>();

    private static CancellationToken Stopped => TestContext.Current.CancellationToken;

    public static async Task<OutputHost> StartAsync(RequestDelegate answer, Action<KestrelServerOptions>? configure = null)
    {
        var builder = WebApplication.CreateBuilder();
        builder.Logging.ClearProviders();
        builder.Services.AddSingleton<ResponseSteps>();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.ConfigureEndpointDefaults(OutputTransport.Use);
            configure?.Invoke(kestrel);
        });
        builder.WebHost.UseSockets(sockets => sockets.CreateBoundListenSocket = address =>
        {
            var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { SendBufferSize = BufferBytes };
            socket.Bind(address);
            return socket;
        });
        var app = builder.Build();
        app.Run(answer);
        await app.StartAsync(Stopped);
        return new(app);
    }

    /// <summary>Connects and sends a request. Nothing is read.</summary>
    public async Task<OutputClient> AskAsync(string headers = "Connection: close\r\n")
    {
        var root = new Uri(_app.Urls.First());
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { ReceiveBufferSize = BufferBytes };
        await socket.ConnectAsync(new IPEndPoint(IPAddress.Loopback, root.Port), Stopped);
        await socket.SendAsync(Encoding.ASCII.GetBytes($"GET / HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n"), Stopped);
        return new(socket);
    }

    public Task StopAsync() => _app.StopAsync(Stopped);

    public ValueTask DisposeAsync() => _app.DisposeAsync();
}

/// <summary>A client that reads when it is told to.</summary>
internal sealed class OutputClient(Socket socket) : IDisposable
{
    private readonly List<byte> _received = [];

    private static CancellationToken Stopped => TestContext.Current.CancellationToken;

    /// <summary>Reads at least some bytes.</summary>
    public async Task ReadAsync(int bytes)
    {
        var buffer = new byte[BufferSize];
        while (_received.Count < bytes)
        {
            var count = await socket.ReceiveAsync(buffer, Stopped);
            if (count == 0) return;
            _received.AddRange(buffer.AsSpan(0, count));
        }
    }

    /// <summary>Reads to the end of the connection.</summary>
    /// <returns>Everything that was received behind the head, also when the connection was reset; empty without a head.</returns>
    public async Task<byte[]> ReadBodyAsync()
    {
        try
        {
            await ReadAsync(int.MaxValue);
        }
        catch (SocketException)
        {
            // The server aborted the connection.
        }
        var bytes = _received.ToArray();
        var head = bytes.AsSpan().IndexOf("\r\n\r\n"u8);
        return head < 0 ? [] : bytes[(head + 4)..];
    }

    /// <summary>Ends the connection in one direction: the server regards the client as gone.</summary>
    public void EndSending() => socket.Shutdown(SocketShutdown.Send);

    /// <summary>Disconnects by a reset.</summary>
    public void Reset()
    {
        socket.LingerState = new(enable: true, seconds: 0);
        socket.Close();
    }

    public void Dispose() => socket.Dispose();

    private const int BufferSize = 64 * 1024;
}
