using System.Runtime.CompilerServices;
using Proxy.Backends;
using Proxy.Dicom;
using Proxy.Metadata;
using Proxy.Rights;

namespace Proxy.Admin;

/// <summary>The metadata store as one request may see it: without the series lists of other backends.</summary>
internal sealed class StoreView(DicomMetadataStore store, BackendSet backends, Access access)
{
    /// <summary>The number of studies to decide about at once.</summary>
    private const int StudiesAtOnce = 50;

    /// <summary>All studies that a visible backend holds, as <see cref="DicomMetadataStore.ReadStudiesAsync"/>.</summary>
    public IAsyncEnumerable<Study> ReadStudiesAsync(CancellationToken cancellation) =>
        store.ReadStudiesAsync(cancellation).Select(access.Restrict).Where(study => study.HasHolder);

    /// <summary>The studies of <see cref="ReadStudiesAsync"/> that the caller may see.</summary>
    public IAsyncEnumerable<Study> ReadPermittedAsync(StudyRights rights, CancellationToken cancellation) => rights.AreLimited(access)
        ? ReadStudiesAsync(cancellation).Chunk(StudiesAtOnce).SelectMany(some => FilterAsync(rights, some, cancellation))
        : ReadStudiesAsync(cancellation);

    /// <summary>A study; null when no visible backend holds it.</summary>
    public Study? FindStudy(Uid study) =>
        store.GetStudy(study) is { } found && access.Restrict(found) is { HasHolder: true } visible ? visible : null;

    /// <summary>The series list of the first visible holder of a series; null for none.</summary>
    public SeriesList? FindHolder(SeriesPath path) =>
        Find(path.Study)?.GetHolders(path.Series, backends.GetPreference).FirstOrDefault();

    /// <summary>An instance from the first visible backend whose list names it; null for none.</summary>
    public Instance? FindInstance(InstancePath path) => Find(path.Study)?.FindInstance(path, backends.GetPreference);

    /// <summary>The studies with the series lists that the caller may see.</summary>
    private async IAsyncEnumerable<Study> FilterAsync(
        StudyRights rights, Study[] studies, [EnumeratorCancellation] CancellationToken cancellation)
    {
        var visible = new Dictionary<string, IReadOnlySet<Uid>>(StringComparer.Ordinal);
        foreach (var backend in access.Backends)
        {
            var held = studies.Where(study => study.GetList(backend.Name).HoldsStudy)
                .ToDictionary(study => study.Uid, study => study.GetList(backend.Name).StudyRow);
            visible[backend.Name] = await rights.FilterAsync(access.Caller, backend, held, isOwnAnswer: false, cancellation);
        }
        foreach (var study in studies)
        {
            var denied = study.SeriesLists.Keys.Where(name => visible.GetValueOrDefault(name)?.Contains(study.Uid) != true);
            var seen = study with { SeriesLists = study.SeriesLists.RemoveRange(denied) };
            if (seen.HasHolder) yield return seen;
        }
    }

    private Study? Find(Uid study) => store.GetStudy(study) is { } found ? access.Restrict(found) : null;
}
