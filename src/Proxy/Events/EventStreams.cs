using System.Buffers;
using System.IO.Pipelines;
using System.Net;
using System.Text;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core.Features;

namespace Proxy.Events;

/// <summary>What became of a client that wanted to listen.</summary>
internal enum EventListener
{
    /// <summary>It got a stream, which has ended.</summary>
    Ended,

    /// <summary>All places are taken.</summary>
    Full,

    /// <summary>Its address has as many places as one may have.</summary>
    FullForAddress,
}

/// <summary>The listeners over HTTP: each has a place in the log and a connection, and none has a timer.</summary>
/// <remarks>
/// <code>
/// retry: 2000                 first: how soon to come back, and after what, although nothing has happened yet
/// id: 5d41402abc4b-16
///
/// id: … event: … data: …      everything that passes the filter, as it comes
///
/// :                           at every beat of one clock for all, so that what is between does not cut the line
/// id: 5d41402abc4b-40         what did not pass the filter need not be looked at again
/// </code>
/// </remarks>
internal sealed class EventStreams : IDisposable
{
    /// <summary>Listeners at once.</summary>
    public const int MaxStreams = 5_000;

    /// <summary>
    /// Listeners of one address at once, so that one client does not take the places of all. Behind a known proxy the
    /// addresses of its clients count.
    /// </summary>
    public const int MaxStreamsOfAddress = 1_000;

    public static readonly TimeSpan Beat = TimeSpan.FromSeconds(15);

    /// <summary>So much is written before the client has to take some of it.</summary>
    private const int FlushBytes = 16 * 1024;

    private readonly EventLog _log;
    private readonly CancellationToken _stopping;
    private readonly ITimer _clock;
    private readonly Lock _places = new();
    private readonly Dictionary<IPAddress, int> _byAddress = [];
    private int _open;
    private int _beats;

    public EventStreams(EventLog log, IHostApplicationLifetime lifetime, TimeProvider time)
    {
        _log = log;
        _stopping = lifetime.ApplicationStopping;
        _clock = time.CreateTimer(_ => Strike(), null, Beat, Beat);
    }

    /// <summary>Listeners now.</summary>
    public int Open => Volatile.Read(ref _open);

    /// <summary>Writes to a client until it leaves or the proxy stops.</summary>
    /// <returns>Unless a stream has ended nothing was written.</returns>
    public async Task<EventListener> WriteAsync(HttpContext context, EventFilter filter)
    {
        var address = FindSlot(context.Connection.RemoteIpAddress);
        if (Take(address) is { } refusal) return refusal;
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, _stopping);
        try
        {
            await WriteEventsAsync(context, filter, ended.Token);
        }
        catch (OperationCanceledException) when (ended.IsCancellationRequested)
        {
            // It left, or the proxy stops: either way that is the end of the stream.
        }
        finally
        {
            Leave(address);
        }
        return EventListener.Ended;
    }

    public void Dispose() => _clock.Dispose();

    /// <summary>
    /// What counts as one address: an IPv6 client has a whole /64 to itself (RFC 4291 §2.5.4). Null over a Unix socket,
    /// where all clients are one.
    /// </summary>
    private static IPAddress? FindSlot(IPAddress? remote)
    {
        if (remote is null) return null;
        if (remote.IsIPv4MappedToIPv6) return remote.MapToIPv4();
        if (remote.AddressFamily != System.Net.Sockets.AddressFamily.InterNetworkV6) return remote;
        var bytes = remote.GetAddressBytes();
        bytes.AsSpan(8).Clear();
        return new(bytes);
    }

    private EventListener? Take(IPAddress? address)
    {
        lock (_places)
        {
            if (_open >= MaxStreams) return EventListener.Full;
            if (address is not null)
            {
                var ofAddress = _byAddress.GetValueOrDefault(address);
                if (ofAddress >= MaxStreamsOfAddress) return EventListener.FullForAddress;
                _byAddress[address] = ofAddress + 1;
            }
            _open++;
            return null;
        }
    }

    private void Leave(IPAddress? address)
    {
        lock (_places)
        {
            _open--;
            if (address is not null && --_byAddress[address] is var left && left == 0) _byAddress.Remove(address);
        }
    }

    private async Task WriteEventsAsync(HttpContext context, EventFilter filter, CancellationToken ended)
    {
        var reader = _log.ReadAfter(context.Request.Headers["Last-Event-ID"]);
        var beats = Volatile.Read(ref _beats);
        Begin(context);
        var output = context.Response.BodyWriter;
        Write(output, "retry: 2000\n", reader);
        await output.FlushAsync(ended);
        while (true)
        {
            var news = reader.News;
            var written = 0L;
            while (reader.Read() is { } logged)
            {
                if (!filter.Passes(logged.Event)) continue;
                output.Write(logged.Bytes.Span);
                written += logged.Bytes.Length;
                if (written < FlushBytes) continue;
                await output.FlushAsync(ended);
                written = 0;
            }
            if (beats != Volatile.Read(ref _beats))
            {
                beats = Volatile.Read(ref _beats);
                written += Write(output, ":\n", reader);
            }
            if (written > 0) await output.FlushAsync(ended);
            await news.WaitAsync(ended);
        }
    }

    private static void Begin(HttpContext context)
    {
        // A slow client is not cut off: it loses the oldest, and is told.
        if (context.Features.Get<IHttpMinResponseDataRateFeature>() is { } rate) rate.MinDataRate = null;
        context.Features.GetRequiredFeature<IHttpResponseBodyFeature>().DisableBuffering();
        context.Response.ContentType = "text/event-stream";
        context.Response.Headers.CacheControl = "no-store";
        context.Response.Headers["X-Accel-Buffering"] = "no";
    }

    /// <summary>A block without data: it moves the place to come back to, and nobody is called for it.</summary>
    private static int Write(PipeWriter output, string line, EventReader reader) =>
        (int)Encoding.UTF8.GetBytes($"{line}id: {reader.LastId}\n\n", output);

    private void Strike()
    {
        Interlocked.Increment(ref _beats);
        _log.Wake();
    }
}
