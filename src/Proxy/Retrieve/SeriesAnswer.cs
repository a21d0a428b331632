using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using Proxy.Backends;
using Proxy.Cache;
using Proxy.Dicom;
using Proxy.Retrieve.Checks;
using Proxy.Wire;
using Proxy.Wire.Part10;

namespace Proxy.Retrieve;

/// <summary>Requests a whole series or study in one answer; each instance is forwarded to the clients as it arrives, and cached.</summary>
/// <remarks>
/// <code>
/// backend ──► multipart ──► identity and form of the part ──► in-flight body of the instance ──► clients
///                                                                 └──► disk
/// </code>
/// Clients that request the same resource in the same forms share one request. Parts that no client requested or accepts are skipped.
/// While the disk keeps up, the backend is read at its own pace, else at the pace of the slowest client.
/// </remarks>
public sealed partial class SeriesAnswer
{
    /// <summary>The bytes of a part that are searched for its identity; values not found there stay unknown.</summary>
    private const int MaxStartBytes = 64 * 1024;

    /// <summary>The limit of unrequested parts, such as duplicates; beyond it the answer fails.</summary>
    private const int MaxUnwantedParts = 1000;

    private readonly IArchive _archive;
    private readonly EntryCache _cache;
    private readonly ObservedForms _given;
    private readonly BackendScheduler _scheduler;
    private readonly ConcurrentDictionary<(string Backend, FetchTarget Target, string Forms), SeriesTransfer> _running = new();

    /// <summary>Creates the reader, which follows the removals of the cache.</summary>
    public SeriesAnswer(IArchive archive, EntryCache cache, ObservedForms given, BackendScheduler scheduler)
    {
        (_archive, _cache, _given, _scheduler) = (archive, cache, given, scheduler);
        cache.Removed += Purge;
    }

    /// <summary>True when backends are read at their own pace, so that reading ahead of the client holds up none of them.</summary>
    public bool CanReadAhead => _cache.CanWriteToDisk;

    /// <summary>
    /// The requested instances in the answer: fewer when it ends early or a part is unusable, none when the backend refuses.
    /// </summary>
    /// <param name="backend">The owner of the series.</param>
    /// <param name="series">The requested instances.</param>
    /// <param name="negotiation">The acceptable forms.</param>
    /// <param name="cancellation">Cancelled when the client disconnects.</param>
    public async IAsyncEnumerable<InstancePart> ReadAsync(
        BackendOptions backend, SeriesInstances series, Negotiation negotiation, [EnumeratorCancellation] CancellationToken cancellation)
    {
        using var foreground = _scheduler.BeginForeground(backend.Name, new(series.Path.Study, series.Path.Series));
        using var follower = Join(
            (backend.Name, new(series.Path.Study, series.Path.Series), negotiation.Name),
            transfer =>
            {
                transfer.Expect([series]);
                return AskAsync(transfer, backend, series.Path, negotiation);
            },
            out var isCollapsed);
        while (await follower.ReadAsync(cancellation) is { } arrival)
        {
            if (await OpenAsync(arrival, backend.Name, isCollapsed, cancellation) is { } result) yield return new(arrival.Path, result);
        }
    }

    private SeriesTransfer.Follower Join(
        (string, FetchTarget, string) key, Func<SeriesTransfer, Task> ask, out bool isCollapsed)
    {
        while (true)
        {
            var transfer = new SeriesTransfer();
            var current = _running.GetOrAdd(key, transfer);
            isCollapsed = current != transfer;
            if (current.Join() is { } follower)
            {
                if (!isCollapsed) _ = RunAsync(key, transfer, ask);
                return follower;
            }
            _running.TryRemove(new(key, current));
        }
    }

    /// <summary>
    /// The body of an arrived instance; null when it failed or was evicted, so that it must be requested alone.
    /// </summary>
    private async Task<BodyResult?> OpenAsync(SeriesArrival arrival, string backend, bool isCollapsed, CancellationToken cancellation)
    {
        // A client that was behind may have caught up while the body still arrives.
        if ((arrival.Reader ?? _cache.FindInFlight(arrival.Key)) is { } reader)
        {
            var result = await BodyResult.FromLookupAsync(new(null, reader, isCollapsed), backend, cancellation);
            return result.Body is null ? null : result;
        }
        return await _cache.FindAsync([new(arrival.Key)], cancellation) is { } found ? BodyResult.Hit(found.Body, backend) : null;
    }

    private async Task RunAsync((string, FetchTarget, string) key, SeriesTransfer transfer, Func<SeriesTransfer, Task> ask)
    {
        using var mark = _cache.TrackFetch();
        try
        {
            await ask(transfer);
        }
        catch (OperationCanceledException)
        {
            // The last client has disconnected.
        }
        finally
        {
            _running.TryRemove(new(key, transfer));
            transfer.End();
        }
    }

    /// <summary>Asks in one form after the other until the backend gives parts. After a failure, instances are requested alone.</summary>
    private async Task AskAsync(SeriesTransfer transfer, BackendOptions backend, SeriesPath path, Negotiation negotiation)
    {
        var expected = await transfer.Expected;
        var refusals = 0;
        var plan = new RequestPlan(negotiation, _given.Find(backend.Name, path, negotiation), _given.FindStored(backend.Name, path));
        for (BackendFailure? failure = null; expected.HasNone && plan.Next(failure) is { } asked;)
        {
            var answer = await _archive.OpenSeriesAsync(
                backend, path, asked,
                (instances, stopped) => CopyAsync(
                    instances, new(transfer, backend.Name, new(path.Study, path.Series), negotiation, asked, expected), stopped),
                transfer.Stopped);
            failure = answer.Failure;
            if (failure is null) return;
            // A repeated request would fail at the same position.
            if (!expected.HasNone || failure.Error == BackendError.BadAnswer)
                _given.RememberRefusal(backend.Name, path);
            if (failure.Status is ErrorStatus.BadRequest or ErrorStatus.NotAllowed or ErrorStatus.NotAcceptable
                or ErrorStatus.NotImplemented)
                refusals++;
        }
        if (refusals > 0 && expected.HasNone) _given.RememberRefusal(backend.Name);
    }

    /// <summary>One request of a transfer.</summary>
    /// <param name="Transfer">The clients.</param>
    /// <param name="Backend">The backend.</param>
    /// <param name="Target">The series, or the study.</param>
    /// <param name="Negotiation">The acceptable forms.</param>
    /// <param name="Asked">The forms of this request.</param>
    /// <param name="Expected">The requested instances.</param>
    private sealed record Request(
        SeriesTransfer Transfer, string Backend, FetchTarget Target, Negotiation Negotiation, RequestedForms Asked,
        ExpectedInstances Expected);

    private async Task<bool> CopyAsync(ArchiveSeries series, Request request, CancellationToken cancellation)
    {
        series.MaxSkippedBytes = _cache.MaxBodyBytes;
        for (var unwanted = 0; ;)
        {
            if (!_cache.DiskKeepsUp) await request.Transfer.WaitForRoomAsync(cancellation);
            if (!await series.ReadNextAsync(cancellation) || request.Expected.HasAll) return true;
            var (identity, start) = await ReadStartAsync(series, cancellation);
            if (request.Transfer.IsPurged) return true;
            var path = SeriesCheck.Read(identity, request.Target);
            var head = new EntryHead(BodyFormat.Dicom, identity.TransferSyntaxUid.ToString(), series.Length);
            if (request.Negotiation.Choose(head) is null || !request.Expected.Contains(path, identity))
            {
                if (++unwanted > MaxUnwantedParts) throw new MalformedAnswerException("An answer has too many parts.");
                continue;
            }
            await CopyPartAsync(series, request, path, head, start, cancellation);
            request.Expected.Add(path);
        }
    }

    /// <summary>Copies one part into the in-flight body of its instance, after the clients have joined it.</summary>
    private async Task CopyPartAsync(
        ArchiveSeries series, Request request, InstancePath path, EntryHead head, ReadOnlyMemory<byte> start,
        CancellationToken cancellation)
    {
        _given.Remember(request.Backend, new(path.Study, path.Series), request.Negotiation, request.Asked.Only, head);
        var key = new EntryKey(request.Backend, path.ToString(), request.Asked.GetKey(head.MediaType, head.TransferSyntax));
        // Cached, or another request fetches it: this part is skipped.
        if (!await _cache.TryReceiveAsync(key, Placement.DiskOnly, ReceiveAsync)) request.Transfer.Add(path, key, join: null);

        async Task<EntryHead> ReceiveAsync(InFlightBody body)
        {
            request.Transfer.Add(path, key, body.Join);
            try
            {
                return await CopyBodyAsync(series, head, start, body, cancellation);
            }
            catch (Exception e) when (e is not OperationCanceledException)
            {
                // Before clients see the failure, because they may retry immediately.
                _given.RememberRefusal(request.Backend, new(path.Study, path.Series));
                throw;
            }
        }
    }

    /// <summary>Reads the first bytes of a part, until they identify its instance.</summary>
    private static async Task<(Part10Identity Identity, ReadOnlyMemory<byte> Start)> ReadStartAsync(
        ArchiveSeries series, CancellationToken cancellation)
    {
        var start = new byte[4096];
        for (var length = 0; ;)
        {
            if (length == start.Length) Array.Resize(ref start, 2 * length);
            var count = await series.ReadAsync(start.AsMemory(length), cancellation);
            length += count;
            var isAll = count == 0 || length == MaxStartBytes;
            if (Part10Identity.Read(start.AsMemory(0, length), Tag.SeriesInstanceUid, isAll) is { } identity)
                return (identity, start.AsMemory(0, length));
        }
    }

    /// <summary>Copies one part. An error in the part fails the whole answer.</summary>
    private static async Task<EntryHead> CopyBodyAsync(
        ArchiveSeries series, EntryHead head, ReadOnlyMemory<byte> start, InFlightBody body, CancellationToken stopped)
    {
        var walk = new Part10Walk(Uid.Parse(head.TransferSyntax!));
        walk.Add(start.Span);
        body.Begin(head);
        await body.WriteAsync(start, stopped);
        body.Open();
        var length = (long)start.Length;
        while (true)
        {
            var room = await body.GetBufferAsync(stopped);
            var count = await series.ReadAsync(room, stopped);
            if (count == 0) break;
            walk.Add(room.Span[..count]);
            body.Commit(count);
            length += count;
        }
        if (walk.IsCut) throw new MalformedAnswerException("The file ends inside a data element.");
        if (head.Length is { } declared && declared != length)
            throw new MalformedAnswerException("The length of a part differs from its declared length.");
        return head with { Length = length };
    }

    private void Purge(Removal removal)
    {
        if (removal is not { Instance: null, Representation: null }) return;
        foreach (var ((backend, target, _), transfer) in _running)
        {
            if ((removal.Backend ?? backend) == backend && (removal.Study ?? target.Study) == target.Study
                && (removal.Series ?? target.Series) == (target.Series ?? removal.Series))
                transfer.IsPurged = true;
        }
    }
}
