using System.Runtime.CompilerServices;
using Proxy.Backends;
using Proxy.Dicom;
using Proxy.Locating;
using Proxy.Operations;

namespace Proxy.Retrieve;

/// <summary>Studies that one backend alone holds: it owns every series, so that nothing waits for its list of them.</summary>
public sealed partial class SeriesBodies
{
    /// <summary>
    /// Finds the request to the only backend that may hold the study: every other one has answered, and lists no series of it.
    /// </summary>
    /// <param name="access">The backends that the client may use.</param>
    /// <param name="study">The study.</param>
    /// <param name="ahead">From <see cref="BeginAhead"/>.</param>
    /// <param name="cancellation">Cancelled when the client disconnects.</param>
    /// <returns>The request; null when another backend lists the study, or does not say.</returns>
    internal async Task<StudyRequest?> FindSoleAsync(
        Access access, Uid study, StudyRequests ahead, CancellationToken cancellation)
    {
        var asking = ahead.All.Select(request => (Request: request, IsSole: IsSoleAsync(request))).ToList();
        while (asking.Count > 0)
        {
            await Task.WhenAny(asking.Select(one => one.IsSole));
            foreach (var one in asking.FindAll(one => one.IsSole.IsCompleted))
            {
                asking.Remove(one);
                if (await one.IsSole) return one.Request;
            }
        }
        return null;

        async Task<bool> IsSoleAsync(StudyRequest request)
        {
            var others = access with { Backends = [.. access.Backends.Where(backend => backend.Name != request.Backend.Name)] };
            if (others.Backends.Count == 0) return true;
            // These requests are running.
            var places = await locator.LocateAsync(others, study, ReadPurpose.Client, cancellation);
            return places.Failures.Count == 0 && places.GetSeries(others).Count == 0;
        }
    }

    /// <summary>
    /// Reads all instances of a study from its only holder, in the order of its answer. The list of its series is compared with what has
    /// arrived, and what is missing is requested alone. No instance is given when the backend refuses.
    /// </summary>
    /// <param name="access">The backends that the client may use.</param>
    /// <param name="request">From <see cref="FindSoleAsync"/>.</param>
    /// <param name="locating">Reads the list of series.</param>
    /// <param name="negotiation">The acceptable forms.</param>
    /// <param name="cancellation">Cancelled when the client disconnects.</param>
    /// <exception cref="TruncatedBodyException">Without the list, it is not known whether the answer was complete.</exception>
    internal async IAsyncEnumerable<InstancePart> ReadSoleAsync(
        Access access, StudyRequest request, Task<StudyHolders> locating, Negotiation negotiation,
        [EnumeratorCancellation] CancellationToken cancellation)
    {
        // 0
        var arrived = new Dictionary<Uid, HashSet<Uid>>();
        await foreach (var part in answers.ReadAsync(request, series: null, cancellation))
        {
            if (!arrived.TryGetValue(part.Path.Series, out var of)) arrived.Add(part.Path.Series, of = []);
            of.Add(part.Path.Instance);
            yield return part;
        }
        if (arrived.Count == 0) yield break;
        var places = await locating;
        if (places.Failures.Count > 0) throw new TruncatedBodyException();
        var backend = request.Backend;
        var series = places.GetSeries(access).Select(uid => GetListed(places, backend, new(places.Study!.Uid, uid))).ToList();
        foreach (var one in series.Where(one => arrived.ContainsKey(one.Path.Series))) locator.SetOwner(access, backend.Name, one.Path);
        await foreach (var part in ReadRestAsync(access, backend, series, arrived, negotiation, cancellation)) yield return part;
        foreach (var one in series) metadata.ReadLater(access, one.Path);
    }

    /// <summary>A series as it is listed. Where the backend does not say how many instances it has, its metadata does.</summary>
    private static SeriesInstances GetListed(StudyHolders places, BackendOptions backend, SeriesPath path) =>
        new(backend.Name, path, [])
        {
            Listed = places.Study!.GetList(backend.Name).FindSeries(path.Series)?.Summary?.FindInt(Tag.NumberOfSeriesRelatedInstances)
                is > 0 and var count
                ? count
                : int.MaxValue,
        };
}
