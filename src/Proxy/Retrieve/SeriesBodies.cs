using System.Runtime.CompilerServices;
using Proxy.Backends;
using Proxy.Cache;
using Proxy.Dicom;

namespace Proxy.Retrieve;

/// <summary>A series of which every instance is wanted.</summary>
/// <param name="Backend">Its owner.</param>
/// <param name="Path">The series.</param>
/// <param name="Instances">By the owner's metadata.</param>
public sealed record SeriesInstances(string Backend, SeriesPath Path, IReadOnlyList<Uid> Instances);

/// <summary>One instance of a whole study or series.</summary>
/// <param name="Path">Which.</param>
/// <param name="Result">Its body, to be disposed of; without a body: why there is none.</param>
public sealed record InstancePart(InstancePath Path, BodyResult Result);

/// <summary>
/// Gives every instance of a study or a series to a client: a series that is not cached comes in one answer of its owner.
/// </summary>
/// <remarks>
/// <code>
/// 1 whole      the owner's answer, part by part as it arrives; each part is cached as an instance
/// 2 first      nothing came: the first instance from any holder of the series
/// 3 alone      the remaining instances, from the same backend, a few at once
/// </code>
/// All instances of a series come from one backend: once an instance has left, no other holder stands in.
/// Parts come in the order of the owner's answer.
/// </remarks>
public sealed class SeriesBodies(SeriesAnswer answers, BackendSet backends, CachedBodies kept, GivenForms given, BodyReader reader)
{
    /// <summary>Instances that are asked for at once when they are asked for alone.</summary>
    private const int AtOnce = 4;

    /// <summary>All instances of several series, one series after the other.</summary>
    public async IAsyncEnumerable<InstancePart> ReadAsync(
        BackendScope scope, IReadOnlyList<SeriesInstances> series, Negotiation negotiation,
        [EnumeratorCancellation] CancellationToken cancellation)
    {
        foreach (var one in series)
        {
            await foreach (var part in ReadAsync(scope, one, negotiation, cancellation)) yield return part;
        }
    }

    /// <summary>True when every instance is cached in an acceptable form.</summary>
    public async Task<bool> HasAllAsync(SeriesInstances series, Negotiation negotiation, CancellationToken cancellation) =>
        await CountMissingAsync(series, negotiation, most: 0, cancellation) == 0;

    private async IAsyncEnumerable<InstancePart> ReadAsync(
        BackendScope scope, SeriesInstances series, Negotiation negotiation, [EnumeratorCancellation] CancellationToken cancellation)
    {
        var left = series.Instances.ToList();
        var owner = backends.Find(series.Backend);
        BackendOptions? source = null;
        // 1: when only a few are missing, the others need not travel again.
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
        // 2: the first one decides which backend gives them all.
        if (source is null && left.Count > 0)
        {
            var path = new InstancePath(series.Path.Study, series.Path.Series, left[0]);
            var first = await reader.ReadAsync(scope, path, frame: null, negotiation, Placement.DiskOnly, cancellation);
            source = backends.Find(first.Backend);
            left.RemoveAt(0);
            yield return new(path, first);
        }
        // 3
        var coming = new Queue<(InstancePath Path, Task<BodyResult> Reading)>();
        try
        {
            foreach (var instance in left)
            {
                var path = new InstancePath(series.Path.Study, series.Path.Series, instance);
                coming.Enqueue((path, ReadAloneAsync(path)));
                if (coming.Count == AtOnce) yield return await NextAsync();
            }
            while (coming.Count > 0) yield return await NextAsync();
        }
        finally
        {
            foreach (var (_, reading) in coming)
                _ = reading.ContinueWith(
                    static r => r.Result.Dispose(), CancellationToken.None, TaskContinuationOptions.OnlyOnRanToCompletion,
                    TaskScheduler.Default);
        }

        async Task<InstancePart> NextAsync()
        {
            var (path, reading) = coming.Dequeue();
            return new(path, await reading);
        }

        Task<BodyResult> ReadAloneAsync(InstancePath path) => source is null
            ? Task.FromResult(BodyResult.None([]))
            : reader.ReadFromAsync(source, path, negotiation, Placement.DiskOnly, cancellation);
    }

    /// <summary>How many instances are not cached; no more than <paramref name="most"/> + 1 are counted.</summary>
    private async Task<int> CountMissingAsync(SeriesInstances series, Negotiation negotiation, int most, CancellationToken cancellation)
    {
        var missing = 0;
        foreach (var instance in series.Instances)
        {
            var path = new BodyPath(new(series.Path.Study, series.Path.Series, instance), null);
            if (!await kept.HasAsync(series.Backend, path, negotiation, isCut: false, cancellation) && ++missing > most) break;
        }
        return missing;
    }
}
