using System.Buffers;
using System.IO.Pipelines;
using System.Net;
using System.Text;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core.Features;

namespace Proxy.Events;

/// <summary>The outcome of a listener's request.</summary>
internal enum ListenOutcome
{
    /// <summary>The listener received a stream, which has ended.</summary>
    Ended,

    /// <summary>Refused: the limit of listeners is reached.</summary>
    Full,

    /// <summary>Refused: the limit of listeners per address is reached.</summary>
    FullForAddress,
}

/// <summary>The listeners over HTTP. A listener is a connection and an offset in the log; all share one timer.</summary>
/// <remarks>
/// <code>
/// retry: 2000                 first: the reconnection delay in ms, and the id to continue after
/// id: 5d41402abc4b-16
///
/// id: … event: … data: …      each event that passes the filter
///
/// :                           every 15 s, so that intermediaries do not close the connection as idle
/// id: 5d41402abc4b-40         the id to continue after, past events that the filter rejected
/// </code>
/// </remarks>
internal sealed class EventStreams : IDisposable
{
    /// <summary>The maximum number of listeners at once.</summary>
    public const int MaxStreams = 5_000;

    /// <summary>
    /// The maximum number of listeners per address, so that one client cannot use up all slots. Behind a known proxy, the
    /// addresses of its clients count.
    /// </summary>
    public const int MaxStreamsPerAddress = 1_000;

    /// <summary>The interval of the keep-alive lines.</summary>
    public static readonly TimeSpan HeartbeatInterval = TimeSpan.FromSeconds(15);

    /// <summary>Beyond it, a credential does not expire while a connection lasts.</summary>
    private static readonly TimeSpan MaxTimer = TimeSpan.FromDays(30);

    /// <summary>
    /// The time that a client has, after the end of its stream, to take what is being written. A cancelled write resets the
    /// connection, and the client would lose bytes that have arrived.
    /// </summary>
    private static readonly TimeSpan LastFlush = TimeSpan.FromSeconds(2);

    /// <summary>The maximum written between two flushes, in bytes.</summary>
    private const int FlushBytes = 16 * 1024;

    private readonly EventLog _log;
    private readonly CancellationToken _stopping;
    private readonly TimeProvider _time;
    private readonly ITimer _clock;
    private readonly Lock _lock = new();
    private readonly Dictionary<IPAddress, int> _byAddress = [];
    private int _open;
    private int _beats;

    /// <summary>Starts the keep-alive timer.</summary>
    public EventStreams(EventLog log, IHostApplicationLifetime lifetime, TimeProvider time)
    {
        _log = log;
        _stopping = lifetime.ApplicationStopping;
        _time = time;
        _clock = time.CreateTimer(_ => SendBeat(), null, HeartbeatInterval, HeartbeatInterval);
    }

    /// <summary>The number of listeners now.</summary>
    public int Open => Volatile.Read(ref _open);

    /// <summary>Writes events to a client until it disconnects or the proxy stops.</summary>
    /// <returns>The outcome; nothing is written to a refused client.</returns>
    public async Task<ListenOutcome> WriteAsync(HttpContext context, EventFilter filter)
    {
        var address = GetCountedAddress(context.Connection.RemoteIpAddress);
        if (TakeSlot(address) is { } refusal) return refusal;
        var left = filter.Caller.Expires - _time.GetUtcNow();
        if (left <= TimeSpan.Zero) left = TimeSpan.Zero;
        using var expired = left < MaxTimer ? new CancellationTokenSource(left, _time) : new CancellationTokenSource();
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, _stopping, expired.Token);
        using var late = new CancellationTokenSource(Timeout.InfiniteTimeSpan, _time);
        await using var end = ended.Token.Register(() => late.CancelAfter(LastFlush));
        try
        {
            await WriteEventsAsync(context, filter, ended.Token, late.Token);
        }
        catch (OperationCanceledException) when (ended.IsCancellationRequested)
        {
            // The client disconnected, its credential expired, or the proxy stops.
        }
        finally
        {
            ReleaseSlot(address);
        }
        return ListenOutcome.Ended;
    }

    /// <summary>Sets the headers of a stream.</summary>
    public static void SetHeaders(HttpResponse response)
    {
        response.ContentType = "text/event-stream";
        response.Headers.CacheControl = "no-store";
        response.Headers["X-Accel-Buffering"] = "no";
    }

    public void Dispose() => _clock.Dispose();

    /// <summary>
    /// The address that the limit applies to: for IPv6 the /64 network, which belongs to one client (RFC 4291 §2.5.4). Null
    /// over a Unix socket, where clients have no address.
    /// </summary>
    private static IPAddress? GetCountedAddress(IPAddress? remote)
    {
        if (remote is null) return null;
        if (remote.IsIPv4MappedToIPv6) return remote.MapToIPv4();
        if (remote.AddressFamily != System.Net.Sockets.AddressFamily.InterNetworkV6) return remote;
        var bytes = remote.GetAddressBytes();
        bytes.AsSpan(8).Clear();
        return new(bytes);
    }

    private ListenOutcome? TakeSlot(IPAddress? address)
    {
        lock (_lock)
        {
            if (_open >= MaxStreams) return ListenOutcome.Full;
            if (address is not null)
            {
                var ofAddress = _byAddress.GetValueOrDefault(address);
                if (ofAddress >= MaxStreamsPerAddress) return ListenOutcome.FullForAddress;
                _byAddress[address] = ofAddress + 1;
            }
            _open++;
            return null;
        }
    }

    private void ReleaseSlot(IPAddress? address)
    {
        lock (_lock)
        {
            _open--;
            if (address is not null && --_byAddress[address] is var left && left == 0) _byAddress.Remove(address);
        }
    }

    private async Task WriteEventsAsync(HttpContext context, EventFilter filter, CancellationToken ended, CancellationToken late)
    {
        var reader = _log.ReadAfter(context.Request.Headers["Last-Event-ID"]);
        var beats = Volatile.Read(ref _beats);
        Begin(context);
        var output = context.Response.BodyWriter;
        Write(output, "retry: 2000\n", reader);
        await output.FlushAsync(late);
        while (true)
        {
            var news = reader.News;
            var written = 0L;
            while (reader.Read() is { } logged)
            {
                if (!filter.Passes(logged.Event)) continue;
                if (filter.MaySee is { } maySee && !await maySee(logged.Event, ended)) continue;
                output.Write(logged.Bytes.Span);
                written += logged.Bytes.Length;
                if (written < FlushBytes) continue;
                await output.FlushAsync(late);
                ended.ThrowIfCancellationRequested();
                written = 0;
            }
            if (beats != Volatile.Read(ref _beats))
            {
                beats = Volatile.Read(ref _beats);
                written += Write(output, ":\n", reader);
            }
            if (written > 0) await output.FlushAsync(late);
            await news.WaitAsync(ended);
        }
    }

    private static void Begin(HttpContext context)
    {
        // Do not disconnect a slow client: it misses the oldest events and receives a gap.
        if (context.Features.Get<IHttpMinResponseDataRateFeature>() is { } rate) rate.MinDataRate = null;
        context.Features.GetRequiredFeature<IHttpResponseBodyFeature>().DisableBuffering();
        SetHeaders(context.Response);
    }

    /// <summary>Writes a block without data: it updates the client's last event id and raises no event.</summary>
    private static int Write(PipeWriter output, string line, EventReader reader) =>
        (int)Encoding.UTF8.GetBytes($"{line}id: {reader.LastId}\n\n", output);

    private void SendBeat()
    {
        Interlocked.Increment(ref _beats);
        _log.Wake();
    }
}
