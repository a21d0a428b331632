using System.Collections.Concurrent;
using System.Net.WebSockets;
using System.Text;
using System.Threading.Channels;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Proxy.Tests.Pacs;

/// <summary>A PACS with UPS-RS: it opens event channels, and answers every other request with an empty list.</summary>
public sealed class WebSocketPacs : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly ConcurrentQueue<(string Path, IHeaderDictionary Headers)> _requests = new();
    private readonly Channel<OpenChannel> _channels = Channel.CreateUnbounded<OpenChannel>();

    private WebSocketPacs(WebApplication app) => _app = app;

    public string Address => _app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single()
        + "/dicom-web";

    /// <summary>Every request, in the order of arrival.</summary>
    public IReadOnlyCollection<(string Path, IHeaderDictionary Headers)> Requests => _requests;

    /// <summary>Holds handshakes; null opens channels at once.</summary>
    public Gate? Handshakes { get; set; }

    /// <summary>The status of a refused handshake; null opens channels.</summary>
    public int? Refusal { get; set; }

    public static async Task<WebSocketPacs> StartAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Logging.ClearProviders();
        var app = builder.Build();
        var pacs = new WebSocketPacs(app);
        app.UseWebSockets();
        app.Run(pacs.AnswerAsync);
        await app.StartAsync();
        return pacs;
    }

    /// <summary>The next channel that a client opened.</summary>
    public async Task<OpenChannel> AcceptAsync()
    {
        using var stop = new CancellationTokenSource(Until.Patience, TimeProvider.System);
        return await _channels.Reader.ReadAsync(stop.Token);
    }

    public async ValueTask DisposeAsync()
    {
        Handshakes?.Open();
        while (_channels.Reader.TryRead(out var channel)) channel.Abort();
        await _app.StopAsync(new CancellationToken(canceled: true));
        await _app.DisposeAsync();
    }

    private async Task AnswerAsync(HttpContext context)
    {
        // The server reuses its own collection for the next request.
        _requests.Enqueue((context.Request.Path.Value!, new HeaderDictionary(context.Request.Headers.ToDictionary())));
        if (!context.WebSockets.IsWebSocketRequest)
        {
            context.Response.ContentType = "application/dicom+json";
            if (HttpMethods.IsPost(context.Request.Method))
            {
                context.Response.StatusCode = 201;
                context.Response.Headers.ContentLocation =
                    $"ws://{context.Request.Host}/dicom-web/ws/subscribers/{context.Request.Path.Value!.Split('/')[^1]}";
                return;
            }
            await context.Response.WriteAsync("[]");
            return;
        }
        if (Handshakes is { } gate) await gate.PassAsync();
        if (Refusal is { } status)
        {
            context.Response.StatusCode = status;
            return;
        }
        using var socket = await context.WebSockets.AcceptWebSocketAsync();
        var channel = new OpenChannel(socket, context.Abort);
        _channels.Writer.TryWrite(channel);
        await channel.Ended;
    }

    /// <summary>One end of a WebSocket.</summary>
    public sealed class OpenChannel(WebSocket socket, Action abort)
    {
        private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Task Ended => _ended.Task;

        public Task SendAsync(string text) => SendAsync(socket, text);

        public async Task<string?> ReadAsync()
        {
            var text = await ReadAsync(socket);
            if (text is null) _ended.TrySetResult();
            return text;
        }

        public async Task CloseAsync()
        {
            await socket.CloseOutputAsync(WebSocketCloseStatus.NormalClosure, "", CancellationToken.None);
            _ended.TrySetResult();
        }

        public void Abort()
        {
            abort();
            _ended.TrySetResult();
        }

        public static async Task SendAsync(WebSocket socket, string text)
        {
            using var stop = new CancellationTokenSource(Until.Patience, TimeProvider.System);
            await socket.SendAsync(Encoding.UTF8.GetBytes(text), WebSocketMessageType.Text, endOfMessage: true, stop.Token);
        }

        /// <summary>The next message; null when the other end closed or broke the socket.</summary>
        public static async Task<string?> ReadAsync(WebSocket socket)
        {
            using var stop = new CancellationTokenSource(Until.Patience, TimeProvider.System);
            var buffer = new byte[64 * 1024];
            try
            {
                var read = await socket.ReceiveAsync(buffer, stop.Token);
                return read.MessageType == WebSocketMessageType.Close ? null : Encoding.UTF8.GetString(buffer, 0, read.Count);
            }
            catch (WebSocketException)
            {
                return null;
            }
        }
    }
}
