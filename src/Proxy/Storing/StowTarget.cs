using Proxy.Backends;
using Proxy.Dicom;
using Proxy.Locating;
using Proxy.Metadata;
using Proxy.Operations;

namespace Proxy.Storing;

/// <summary>Decides which backend the instances of a request are stored to.</summary>
/// <remarks>
/// <code>
/// 1 root       the backend of the root, if the root is of one backend
/// 2 setting    Store:Backend
/// 3 only       the backend, if only one is configured
/// 4 holder     for a study in the address: the backend that holds most of its instances, in the order of Holder
/// </code>
/// Without all of these the request is refused: instances in the wrong backend are hard to find and to move.
/// </remarks>
public sealed class StowTarget(BackendSet backends, SeriesLocator locator, Reloadable<StoreOptions> options)
{
    /// <summary>Whether requests without a study in the address have a backend (1 to 3), as a viewer sends them.</summary>
    public bool IsSet(Access access) =>
        access.Backends.Count == 1
        || (options.Value.Backend is { } name && backends.Find(name) is { } configured && access.Has(configured.Name));

    /// <summary>Finds the backend.</summary>
    /// <param name="access">The backends that the client may use.</param>
    /// <param name="study">The study in the address; null for none.</param>
    /// <param name="cancellation">Cancelled when the client disconnects.</param>
    /// <returns>The backend, or the problem that the client gets.</returns>
    public async Task<(BackendOptions? Backend, IResult? Problem)> FindAsync(Access access, Uid? study, CancellationToken cancellation)
    {
        // 1, 3
        if (access.Backends.Count == 1) return (access.Backends[0], null);
        // 2
        if (options.Value.Backend is { } name)
            return backends.Find(name) is { } configured && access.Has(configured.Name)
                ? (configured, null)
                : (null, Problems.NoStore("Store:Backend names a backend that this root does not include."));
        // 4
        if (study is not { } uid) return (null, Problems.NoStore("No backend is set to store to. An operator can set Store:Backend."));
        var places = await locator.LocateAsync(access, uid, ReadPurpose.Client, cancellation);
        if (places.Failures.Count > 0) return (null, places.Failures.ToProblem());
        var holders = places.Study?.SeriesLists.Values.Where(list => access.Has(list.Backend) && !list.Series.IsEmpty)
            .Select(list => new Holder(list.Backend, list.Series.Values.Sum(s => s.Count), backends.GetPreference(list.Backend))).ToList();
        return holders is { Count: > 0 } && backends.Find(holders.Min(Holder.Order).Backend) is { } holder
            ? (holder, null)
            : (null, Problems.NoStore("No backend holds this study, and none is set to store to. An operator can set Store:Backend."));
    }
}
