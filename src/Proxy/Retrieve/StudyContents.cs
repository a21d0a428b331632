using Proxy.Backends;
using Proxy.Dicom;
using Proxy.Operations;
using Proxy.Search;

namespace Proxy.Retrieve;

/// <summary>What a whole-study request gives while a backend fails: its last known series list decides.</summary>
/// <param name="Series">The series that can be given, each with its metadata, in order of their UIDs.</param>
/// <param name="Missing">Series that only failed backends hold, each with those failures.</param>
/// <param name="Failures">Backends that did not say what they hold now.</param>
public sealed record StudyContents(
    IReadOnlyList<(Uid Uid, SeriesResult Result)> Series, IReadOnlyList<(Uid Uid, IReadOnlyList<BackendFailure> Failures)> Missing,
    IReadOnlyList<BackendFailure> Failures)
{
    /// <summary>Reads the series of a study and sorts them by whether they can be given.</summary>
    /// <param name="places">The series lists of the study and the backends that failed.</param>
    /// <param name="scope">The root that was asked.</param>
    /// <param name="read">Reads the metadata of one series.</param>
    /// <param name="hasBodies">Whether all instances of a series whose holders failed are in the cache; not asked for other series.</param>
    public static async Task<StudyContents> ReadAsync(
        StudyHolders places, BackendScope scope, Func<Uid, Task<SeriesResult>> read, Func<Uid, SeriesResult, Task<bool>> hasBodies)
    {
        List<(Uid, SeriesResult)> series = [];
        List<(Uid, IReadOnlyList<BackendFailure>)> missing = [];
        var uids = places.SeriesIn(scope);
        var results = await Task.WhenAll(uids.Select(read));
        foreach (var (uid, result) in uids.Zip(results))
        {
            if (result.Metadata is null)
            {
                // Without a failure every backend says that it does not have the series any more.
                if (result.Failures.Count > 0) missing.Add((uid, result.Failures));
            }
            else if (places.FindFailedHolders(scope, uid) is { Count: > 0 } failed && !await hasBodies(uid, result))
            {
                missing.Add((uid, failed));
            }
            else
            {
                series.Add((uid, result));
            }
        }
        return new(series, missing, places.Failures);
    }

    /// <summary>Why the study is not given; null when it is. An incomplete study is given only where the settings allow it.</summary>
    public IResult? FindProblem(RetrieveOptions options)
    {
        if (Series.Count > 0 && (Missing.Count == 0 || options.AllowPartial)) return null;
        if (Series.Count > 0) return Problems.Incomplete(Describe());
        var failures = Missing.SelectMany(m => m.Failures).Concat(Failures).DistinctBy(f => f.Backend).ToList();
        return failures.Count > 0 ? failures.ToProblem() : Problems.NotFound("No backend holds it.");
    }

    /// <summary>Names the failed backends and the series that are left out. Call it last: it forbids to store such an answer.</summary>
    public void Warn(HttpResponse response)
    {
        response.AddWarnings([.. Failures.Concat(Missing.SelectMany(m => m.Failures)).DistinctBy(f => f.Backend)]);
        if (Missing.Count > 0) response.AddWarning($"The study is incomplete: {Describe()}");
    }

    private string Describe()
    {
        var shown = Missing.Take(10)
            .Select(m => $"series {m.Uid} ({string.Join(", ", m.Failures.Select(f => $"{f.Backend}: {f.Error}"))})");
        return $"{Missing.Count} of {Series.Count + Missing.Count} series cannot be given now: {string.Join("; ", shown)}{(Missing.Count > 10 ? "; …" : "")}";
    }
}
