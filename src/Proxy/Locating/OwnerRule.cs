using Proxy.Backends;
using Proxy.Dicom;
using Proxy.Metadata;

namespace Proxy.Locating;

/// <summary>Decides which backend a series is served from: one backend, for its metadata and all its pixels.</summary>
/// <remarks>
/// <code>
/// 1 first     the holder with more instances, then the lower preference, then the name (Holder.Order)
/// 2 bound     the backend that gave the series stays its owner
/// 3 moves     when the owner fails; when another holder has more instances; back to the first holder when that is steady again
/// 4 stands in another holder gives a body in place of the owner only if its own metadata names the instance
/// 5 absent    a frame that a working owner lacks does not exist, even if another holder has a frame of that number
/// </code>
/// Clients combine the metadata and the pixels of a series. Those of two backends may show the wrong picture. The root of a single
/// backend says nothing about the others: it neither binds a series nor stands in for its owner.
/// </remarks>
/// <param name="preferenceOf">The preference of a backend; the lower number wins.</param>
/// <param name="isSteady">Whether neither a backend nor a study on it has failed recently.</param>
public sealed class OwnerRule(Func<string, int> preferenceOf, Func<string, Uid, bool> isSteady)
{
    /// <summary>The holder that serves a series: its owner, if that is a holder, else the first.</summary>
    /// <param name="holders">The backends that have the series; at least one.</param>
    /// <param name="owner">The owner of the series; null for none.</param>
    public static Holder Choose(IReadOnlyList<Holder> holders, string? owner)
    {
        foreach (var holder in holders)
        {
            if (holder.Backend == owner) return holder;
        }
        return holders.Min(Holder.Order);
    }

    /// <summary>The holders of a series that the client may use, its owner first, then in the order of <see cref="Holder"/>.</summary>
    public IEnumerable<SeriesList> GetHolders(Study? study, Access access, Uid series) =>
        study?.GetHolders(series, preferenceOf).Where(list => access.Has(list.Backend)) ?? [];

    /// <summary>
    /// The backends to ask for the metadata of a series, the new owner first; last those that may hold the series without listing it.
    /// </summary>
    /// <param name="places">The series lists of the study. A holder whose list is not known is not asked.</param>
    /// <param name="access">The backends that the client may use.</param>
    /// <param name="series">The series.</param>
    public IReadOnlyList<SeriesList> GetCandidates(StudyHolders places, Access access, Uid series)
    {
        var holders = GetHolders(places.Study, access, series).Where(list => !places.HasFailed(list.Backend)).ToList();
        if (holders.Count > 1)
        {
            // 3
            var owner = holders[0];
            var first = holders.MinBy(GetHolder, Holder.Order)!;
            if (GetHolder(first).Count > GetHolder(owner).Count || isSteady(first.Backend, places.Study!.Uid))
                holders = [first, .. holders.Where(list => list != first)];
        }
        return [.. holders, .. places.FindUnlisted(access, series)];

        Holder GetHolder(SeriesList list) => list.GetHolder(series, preferenceOf);
    }

    /// <summary>The owner that a backend would stand in for; null when it needs no proof before it gives an object.</summary>
    public static string? FindReplaced(Study? study, Access access, Uid series, string backend) =>
        access.IsAll && study?.Owners.GetValueOrDefault(series) is { } owner && owner != backend ? owner : null;

    /// <summary>True when a frame does not exist because the owner of its series has the series but not the frame.</summary>
    /// <param name="study">The series lists.</param>
    /// <param name="series">The series of the frame.</param>
    /// <param name="owner">The owner; null for none.</param>
    /// <param name="without">The backends that work and lack the frame.</param>
    public static bool IsAbsent(Study? study, Uid series, string? owner, IReadOnlySet<string> without) =>
        owner is not null && without.Contains(owner) && study?.GetList(owner).FindSeries(series) is not null;

    /// <summary>
    /// True when a backend that gave a body becomes the owner. A body that the owner lacks does not move the series, because the other
    /// bodies would then come from another backend.
    /// </summary>
    /// <param name="replaced">The owner that the backend stood in for; null for none.</param>
    /// <param name="holders">The backends that hold the series.</param>
    /// <param name="failures">The failures of the backends that were asked before.</param>
    public static bool BecomesOwner(string? replaced, IReadOnlyList<string> holders, IReadOnlyList<BackendFailure> failures) =>
        replaced is null || !holders.Contains(replaced)
        || failures.Any(f => f.Backend == replaced && f.Error != BackendError.Busy);
}
