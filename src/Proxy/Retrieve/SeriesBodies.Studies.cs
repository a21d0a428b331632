using System.Runtime.CompilerServices;
using Proxy.Backends;
using Proxy.Dicom;
using Proxy.Locating;

namespace Proxy.Retrieve;

/// <summary>Studies without metadata in the store.</summary>
public sealed partial class SeriesBodies
{
    /// <summary>
    /// Requests a study from every backend whose list of its series is not known, while the lists are requested. No request is sent when
    /// an instance may be cached, or to more backends than are read at once.
    /// </summary>
    /// <param name="access">The backends that the client may use.</param>
    /// <param name="study">The study.</param>
    /// <param name="negotiation">The acceptable forms.</param>
    /// <returns>The requests, which the caller disposes.</returns>
    internal StudyRequests BeginAhead(Access access, Uid study, Negotiation negotiation)
    {
        var unknown = access.Backends.Where(backend => !locator.IsKnown(backend, study)).ToList();
        if (unknown.Count > MaxSeries || locator.HasMetadata(study)) return new([]);
        return new([.. unknown.Where(answers.CanAskAhead).Select(backend => answers.BeginStudy(backend, access, study, negotiation))]);
    }

    /// <summary>
    /// The series of a study, to be read without their metadata: for a large series an archive needs longer to give that than to give
    /// the instances. Null when some metadata is in the store, when the failure of a backend could not be reported before the first byte,
    /// or when a backend does not say how many instances a series has.
    /// </summary>
    public IReadOnlyList<SeriesInstances>? FindUnread(StudyHolders places, Access access, Uid study)
    {
        var series = places.GetSeries(access);
        if (places.Failures.Count > 0 || series.Count == 0 || series.Count > 1 && !answers.CanReadAhead) return null;
        var unread = new List<SeriesInstances>();
        foreach (var uid in series)
        {
            var path = new SeriesPath(study, uid);
            var owner = locator.GetCandidates(places, access, uid).FirstOrDefault();
            if (owner.List?.FindSeries(uid) is not { Metadata: null, Summary: { } row } || given.RefusesSeries(owner.Backend.Name, path)
                || row.FindInt(Tag.NumberOfSeriesRelatedInstances) is not (> 0 and var count))
                return null;
            unread.Add(new(owner.Backend.Name, path, []) { Listed = count });
        }
        return unread.Skip(MaxSeries).All(later => unread.Take(MaxSeries).Any(first => first.Backend == later.Backend)) ? unread : null;
    }

    /// <summary>
    /// Reads all instances of an unread study. A backend that owns every series that it lists is asked for the whole study; of the others,
    /// each series is requested, so that no instance comes from a backend that does not own its series.
    /// </summary>
    /// <param name="access">The backends that the client may use.</param>
    /// <param name="places">The holders of the study.</param>
    /// <param name="series">From <see cref="FindUnread"/>.</param>
    /// <param name="ahead">From <see cref="BeginAhead"/>.</param>
    /// <param name="negotiation">The acceptable forms.</param>
    /// <param name="cancellation">Cancelled when the client disconnects.</param>
    internal async IAsyncEnumerable<InstancePart> ReadUnreadAsync(
        Access access, StudyHolders places, IReadOnlyList<SeriesInstances> series, StudyRequests ahead, Negotiation negotiation,
        [EnumeratorCancellation] CancellationToken cancellation)
    {
        var inTurn = new List<Answer>();
        foreach (var owned in series.GroupBy(one => one.Backend).Select(group => group.ToList()))
        {
            var backend = owned[0].Backend;
            var ownsAll = places.Study!.GetList(backend).Series.Count == owned.Count;
            var request = ownsAll ? ahead.Find(backend) : null;
            if (request is null && ownsAll && owned.Count > 1 && !given.RefusesStudies(backend) && backends.Find(backend) is { } owner)
                request = ahead.Add(answers.BeginStudy(owner, access, owned[0].Path.Study, negotiation));
            if (request is null)
                inTurn.AddRange(owned.Select(one => new Answer(backend, stopped => ReadAsync(access, one, negotiation, stopped))));
            else
                inTurn.Add(new(backend, stopped => ReadStudyAsync(access, request, owned, negotiation, stopped)));
        }
        ahead.DisposeOthers();
        await foreach (var part in ReadAsync(inTurn, isUnread: true, cancellation)) yield return part;
        foreach (var one in series) metadata.ReadLater(access, one.Path);
    }

    private async IAsyncEnumerable<InstancePart> ReadStudyAsync(
        Access access, StudyRequest request, IReadOnlyList<SeriesInstances> series, Negotiation negotiation,
        [EnumeratorCancellation] CancellationToken cancellation)
    {
        // 0
        var arrived = series.ToDictionary(one => one.Path.Series, _ => new HashSet<Uid>());
        await foreach (var part in answers.ReadAsync(request, series, cancellation))
        {
            var of = arrived[part.Path.Series];
            if (of.Count == 0) locator.SetOwner(access, request.Backend.Name, new(part.Path.Study, part.Path.Series));
            of.Add(part.Path.Instance);
            yield return part;
        }
        await foreach (var part in ReadRestAsync(access, request.Backend, series, arrived, negotiation, cancellation)) yield return part;
    }

    private async IAsyncEnumerable<InstancePart> ReadRestAsync(
        Access access, BackendOptions backend, IReadOnlyList<SeriesInstances> series, Dictionary<Uid, HashSet<Uid>> arrived,
        Negotiation negotiation, [EnumeratorCancellation] CancellationToken cancellation)
    {
        var incomplete = series.Where(one => GetArrived(one).Count < one.Listed).ToList();
        if (incomplete.Count == 0) yield break;
        given.RememberStudyRefusal(backend.Name);
        var rest = incomplete.Select(one => new Answer(
            one.Backend, stopped => ReadUnreadAsync(access, backend, one, GetArrived(one), negotiation, stopped)));
        await foreach (var part in ReadAsync([.. rest], arrived.Values.All(of => of.Count == 0), cancellation)) yield return part;

        HashSet<Uid> GetArrived(SeriesInstances one) => arrived.GetValueOrDefault(one.Path.Series) ?? [];
    }
}
