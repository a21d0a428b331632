using System.Buffers;
using System.IO.Pipelines;
using System.Text;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core.Features;

namespace Proxy.Events;

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
    public const int MaxStreams = 5_000;

    public static readonly TimeSpan Beat = TimeSpan.FromSeconds(15);

    /// <summary>So much is written before the client has to take some of it.</summary>
    private const int FlushBytes = 16 * 1024;

    private readonly EventLog _log;
    private readonly CancellationToken _stopping;
    private readonly ITimer _clock;
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
    /// <returns>False when there are too many listeners, and nothing was written.</returns>
    public async Task<bool> TryWriteAsync(HttpContext context, EventFilter filter)
    {
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, _stopping);
        try
        {
            if (Interlocked.Increment(ref _open) > MaxStreams) return false;
            await WriteAsync(context, filter, ended.Token);
        }
        catch (OperationCanceledException) when (ended.IsCancellationRequested)
        {
            // It left, or the proxy stops: either way that is the end of the stream.
        }
        finally
        {
            Interlocked.Decrement(ref _open);
        }
        return true;
    }

    public void Dispose() => _clock.Dispose();

    private async Task WriteAsync(HttpContext context, EventFilter filter, CancellationToken ended)
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
    private static int Write(PipeWriter output, string line, EventReader reader) => (int)Encoding.UTF8.GetBytes($"{line}id: {reader.LastId}\n\n", output);

    private void Strike()
    {
        Interlocked.Increment(ref _beats);
        _log.Wake();
    }
}
