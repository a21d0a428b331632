using System.Runtime.CompilerServices;
using Proxy.Backends;
using Proxy.Cache;
using Proxy.Dicom;

namespace Proxy.Retrieve;

/// <summary>A series and all its instances.</summary>
/// <param name="Backend">The owner of the series.</param>
/// <param name="Path">The series.</param>
/// <param name="Instances">The instances in the owner's metadata.</param>
public sealed record SeriesInstances(string Backend, SeriesPath Path, IReadOnlyList<Uid> Instances);

/// <summary>One instance of a whole study or series.</summary>
/// <param name="Path">The instance.</param>
/// <param name="Result">Its body, which the receiver disposes, or the failures when there is no body.</param>
public sealed record InstancePart(InstancePath Path, BodyResult Result);

/// <summary>
/// Reads every instance of a study or a series for a client. A series that is not cached comes in one answer from its owner.
/// </summary>
/// <remarks>
/// <code>
/// 1 whole      the owner's answer, part by part as it arrives; each part is cached as an instance
/// 2 first      when no part arrived: the first instance from any holder of the series
/// 3 alone      the remaining instances, from the same backend, a few at once
/// </code>
/// All instances of a series come from one backend: once an instance was sent, no other holder replaces it.
/// The parts of a whole answer keep the owner's order.
/// </remarks>
public sealed class SeriesBodies(SeriesAnswer answers, BackendSet backends, CachedBodies cached, ObservedForms given, BodyReader reader)
{
    /// <summary>The limit of single instances that are requested concurrently.</summary>
    private const int MaxConcurrent = 4;

    /// <summary>Reads all instances of several series, one series after the other.</summary>
    public async IAsyncEnumerable<InstancePart> ReadAsync(
        Access access, IReadOnlyList<SeriesInstances> series, Negotiation negotiation,
        [EnumeratorCancellation] CancellationToken cancellation)
    {
        foreach (var whole in series)
        {
            await foreach (var part in ReadAsync(access, whole, negotiation, cancellation)) yield return part;
        }
    }

    /// <summary>True when every instance is cached in an acceptable form.</summary>
    public async Task<bool> HasAllAsync(SeriesInstances series, Negotiation negotiation, CancellationToken cancellation) =>
        await CountMissingAsync(series, negotiation, max: 0, cancellation) == 0;

    private async IAsyncEnumerable<InstancePart> ReadAsync(
        Access access, SeriesInstances series, Negotiation negotiation, [EnumeratorCancellation] CancellationToken cancellation)
    {
        var left = series.Instances.ToList();
        var owner = backends.Find(series.Backend);
        BackendOptions? source = null;
        // 1: when only a few instances are missing, do not transfer the cached ones again.
        var few = left.Count / 4;
        if (owner is not null && !given.RefusesSeries(owner.Name, series.Path)
            && await CountMissingAsync(series, negotiation, few, cancellation) > few)
        {
            await foreach (var part in answers.ReadAsync(owner, series, negotiation, cancellation))
            {
                left.Remove(part.Path.Instance);
                source = owner;
                yield return part;
            }
        }
        // 2: the backend of the first instance gives all others too.
        if (source is null && left.Count > 0)
        {
            var path = new InstancePath(series.Path.Study, series.Path.Series, left[0]);
            var first = await reader.ReadAsync(access, path, frame: null, negotiation, Placement.DiskOnly, cancellation);
            source = backends.Find(first.Backend);
            left.RemoveAt(0);
            yield return new(path, first);
        }
        // 3
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

    /// <summary>The number of instances that are not cached, counted up to <paramref name="max"/> + 1.</summary>
    private async Task<int> CountMissingAsync(SeriesInstances series, Negotiation negotiation, int max, CancellationToken cancellation)
    {
        var missing = 0;
        foreach (var instance in series.Instances)
        {
            var path = new BodyPath(new(series.Path.Study, series.Path.Series, instance), null);
            if (!await cached.HasAsync(series.Backend, path, negotiation, isCut: false, cancellation) && ++missing > max) break;
        }
        return missing;
    }
}
