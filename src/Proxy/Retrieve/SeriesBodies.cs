using System.Runtime.CompilerServices;
using Proxy.Backends;
using Proxy.Cache;
using Proxy.Dicom;
using Proxy.Locating;

namespace Proxy.Retrieve;

/// <summary>A series and all its instances.</summary>
/// <param name="Backend">The owner of the series.</param>
/// <param name="Path">The series.</param>
/// <param name="Instances">The instances in the owner's metadata.</param>
public sealed record SeriesInstances(string Backend, SeriesPath Path, IReadOnlyList<Uid> Instances)
{
    /// <summary>
    /// The number of instances that the owner lists, when its metadata was not read and <see cref="Instances"/> is empty; else null.
    /// </summary>
    public int? Listed { get; init; }
}

/// <summary>One instance of a whole study or series.</summary>
/// <param name="Path">The instance.</param>
/// <param name="Result">Its body, which the receiver disposes, or the failures when there is no body.</param>
public sealed record InstancePart(InstancePath Path, BodyResult Result);

/// <summary>
/// Reads every instance of a study or a series for a client. A series that is not cached comes in one answer from its owner.
/// </summary>
/// <remarks>
/// <code>
/// 0 sole       the store has no metadata, and no other backend lists the study: the answer with the whole study, listed or not
///   study      the store has no metadata, and a backend owns every series that it lists: its answer with the whole study
/// 1 unread     the store has no metadata: the owner's answer; the metadata only if it has fewer instances than the owner lists
/// 2 whole      the owner's answer, part by part as it arrives; each part is cached as an instance
/// 3 first      when no part arrived: the first instance from any holder of the series
/// 4 alone      the remaining instances, from the same backend, a few at once
/// </code>
/// All instances of a series come from one backend: once an instance was sent, no other holder replaces it.
/// The parts of a whole answer keep the owner's order. With a disk tier a few series are read at once, and sent one after the other.
/// </remarks>
public sealed partial class SeriesBodies(
    SeriesAnswer answers, BackendSet backends, CachedBodies cached, ObservedForms given, BodyReader reader, SeriesReader metadata,
    SeriesLocator locator)
{
    /// <summary>The limit of single instances that are requested concurrently.</summary>
    private const int MaxConcurrent = 4;

    /// <summary>The limit of series that are read concurrently.</summary>
    private const int MaxSeries = 4;

    /// <summary>
    /// Reads all instances of several series, one series after the other. Of unread series nothing is given before every backend gave
    /// something, and one that failed by then comes first, so that the failure of a backend can be reported.
    /// </summary>
    public IAsyncEnumerable<InstancePart> ReadAsync(
        Access access, IReadOnlyList<SeriesInstances> series, Negotiation negotiation, CancellationToken cancellation) =>
        ReadAsync(
            [.. series.Select(one => new Answer(one.Backend, stopped => ReadAsync(access, one, negotiation, stopped)))],
            isUnread: false, cancellation);

    private async IAsyncEnumerable<InstancePart> ReadAsync(
        IReadOnlyList<Answer> answersInTurn, bool isUnread, [EnumeratorCancellation] CancellationToken cancellation)
    {
        using var closing = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        var ahead = answers.CanReadAhead ? MaxSeries : 1;
        var open = new Queue<OpenSeries>();
        try
        {
            var isFirst = true;
            for (var next = 0; next < answersInTurn.Count || open.Count > 0;)
            {
                for (; next < answersInTurn.Count && open.Count < ahead; next++)
                {
                    var parts = answersInTurn[next].Read(closing.Token).GetAsyncEnumerator(CancellationToken.None);
                    open.Enqueue(new(answersInTurn[next].Backend, parts, parts.MoveNextAsync().AsTask()));
                }
                if (isFirst && isUnread && await FindFailedAsync(open) is { } failed)
                {
                    yield return failed;
                    yield break;
                }
                isFirst = false;
                var (_, current, first) = open.Dequeue();
                await using (current)
                {
                    for (var isFound = await first; isFound; isFound = await current.MoveNextAsync()) yield return current.Current;
                }
            }
        }
        finally
        {
            await closing.CancelAsync();
            foreach (var (_, parts, first) in open) await CloseAsync(parts, first);
        }
    }

    /// <summary>An answer of a backend with one series or more, to be read.</summary>
    /// <param name="Backend">The owner of the series.</param>
    /// <param name="Read">Reads the instances.</param>
    private sealed record Answer(string Backend, Func<CancellationToken, IAsyncEnumerable<InstancePart>> Read);

    /// <summary>An answer that is being read.</summary>
    /// <param name="Backend">The owner of its series.</param>
    /// <param name="Parts">Its instances.</param>
    /// <param name="First">The move to the first instance.</param>
    private sealed record OpenSeries(string Backend, IAsyncEnumerator<InstancePart> Parts, Task<bool> First);

    /// <summary>
    /// Waits until each backend has given an instance of one of its series. An archive that reads several series at once may begin the
    /// last one long after the others.
    /// </summary>
    /// <returns>The failure of a series that was noticed meanwhile; null when there is none.</returns>
    private static async Task<InstancePart?> FindFailedAsync(IEnumerable<OpenSeries> open)
    {
        foreach (var backend in open.GroupBy(series => series.Backend))
        {
            var waiting = backend.ToList();
            for (var isGiven = false; !isGiven && waiting.Count > 0;)
            {
                await Task.WhenAny(waiting.Select(series => series.First));
                foreach (var series in waiting.FindAll(series => series.First.IsCompleted))
                {
                    waiting.Remove(series);
                    if (!await series.First) continue;
                    if (series.Parts.Current.Result.Body is null) return series.Parts.Current;
                    isGiven = true;
                }
            }
        }
        return null;
    }

    private static async Task CloseAsync(IAsyncEnumerator<InstancePart> parts, Task<bool> first)
    {
        // The client does not get this series, so its failure is no failure of the answer.
        await first.ContinueWith(static _ => { }, CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default);
        if (first.IsCompletedSuccessfully && first.Result) parts.Current.Result.Dispose();
        await parts.DisposeAsync();
    }

    /// <summary>True when every instance is cached in an acceptable form.</summary>
    public async Task<bool> HasAllAsync(SeriesInstances series, Negotiation negotiation, CancellationToken cancellation) =>
        await cached.CountMissingAsync(series, negotiation, max: 0, cancellation) == 0;

    private IAsyncEnumerable<InstancePart> ReadAsync(
        Access access, SeriesInstances series, Negotiation negotiation, CancellationToken cancellation) =>
        series.Listed is not null && backends.Find(series.Backend) is { } owner
            ? ReadUnreadAsync(access, owner, series, new(), negotiation, cancellation)
            : ReadKnownAsync(access, series, null, negotiation, cancellation);

    private async IAsyncEnumerable<InstancePart> ReadUnreadAsync(
        Access access, BackendOptions owner, SeriesInstances series, HashSet<Uid> arrived, Negotiation negotiation,
        [EnumeratorCancellation] CancellationToken cancellation)
    {
        // 1
        if (arrived.Count == 0 && !given.RefusesSeries(owner.Name, series.Path))
        {
            await foreach (var part in answers.ReadAsync(owner, series, negotiation, cancellation))
            {
                if (arrived.Count == 0) locator.SetOwner(access, owner.Name, series.Path);
                arrived.Add(part.Path.Instance);
                yield return part;
            }
        }
        if (arrived.Count >= series.Listed) yield break;
        var known = await metadata.ReadAsync(access, series.Path, bypassCache: false, cancellation);
        if (known.Metadata is not { } instances)
        {
            yield return new(new(series.Path.Study, series.Path.Series, default), BodyResult.None(known.Failures));
            yield break;
        }
        var rest = new SeriesInstances(known.Backend, series.Path, [.. instances.Uids.Where(uid => !arrived.Contains(uid))]);
        await foreach (var part in ReadKnownAsync(access, rest, arrived.Count > 0 ? owner : null, negotiation, cancellation))
            yield return part;
    }

    private async IAsyncEnumerable<InstancePart> ReadKnownAsync(
        Access access, SeriesInstances series, BackendOptions? source, Negotiation negotiation,
        [EnumeratorCancellation] CancellationToken cancellation)
    {
        var owner = backends.Find(series.Backend);
        var left = series.Instances.ToList();
        // 2: when only a few instances are missing, do not transfer the cached ones again.
        var few = left.Count / 4;
        if (source is null && owner is not null && !given.RefusesSeries(owner.Name, series.Path)
            && await cached.CountMissingAsync(series, negotiation, few, cancellation) > few)
        {
            await foreach (var part in answers.ReadAsync(owner, series, negotiation, cancellation))
            {
                left.Remove(part.Path.Instance);
                source = owner;
                yield return part;
            }
        }
        // 3: the backend of the first instance gives all others too.
        if (source is null && left.Count > 0)
        {
            var path = new InstancePath(series.Path.Study, series.Path.Series, left[0]);
            var first = await reader.ReadAsync(access, path, frame: null, negotiation, Placement.DiskOnly, cancellation);
            source = backends.Find(first.Backend);
            left.RemoveAt(0);
            yield return new(path, first);
        }
        // 4
        var pending = new Queue<(InstancePath Path, Task<BodyResult> Reading)>();
        try
        {
            foreach (var instance in left)
            {
                var path = new InstancePath(series.Path.Study, series.Path.Series, instance);
                pending.Enqueue((path, ReadAloneAsync(path)));
                if (pending.Count == MaxConcurrent) yield return await NextAsync();
            }
            while (pending.Count > 0) yield return await NextAsync();
        }
        finally
        {
            foreach (var (_, reading) in pending)
                _ = reading.ContinueWith(
                    static r => r.Result.Dispose(), CancellationToken.None, TaskContinuationOptions.OnlyOnRanToCompletion,
                    TaskScheduler.Default);
        }

        async Task<InstancePart> NextAsync()
        {
            var (path, reading) = pending.Dequeue();
            return new(path, await reading);
        }

        Task<BodyResult> ReadAloneAsync(InstancePath path) => source is null
            ? Task.FromResult(BodyResult.None([]))
            : reader.ReadFromAsync(source, path, negotiation, Placement.DiskOnly, cancellation);
    }
}
