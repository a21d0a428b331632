using Proxy.Backends;
using Proxy.Dicom;
using Proxy.Metadata;

namespace Proxy.Admin;

/// <summary>The metadata store as one request may see it: without the series lists of other backends.</summary>
internal sealed class StoreView(DicomMetadataStore store, BackendSet backends, Access access)
{
    /// <summary>All studies that a visible backend holds, as <see cref="DicomMetadataStore.ReadStudiesAsync"/>.</summary>
    public IAsyncEnumerable<Study> ReadStudiesAsync(CancellationToken cancellation) =>
        store.ReadStudiesAsync(cancellation).Select(access.Restrict).Where(study => study.HasHolder);

    /// <summary>A study; null when no visible backend holds it.</summary>
    public Study? FindStudy(Uid study) =>
        store.GetStudy(study) is { } found && access.Restrict(found) is { HasHolder: true } visible ? visible : null;

    /// <summary>The series list of the first visible holder of a series; null for none.</summary>
    public SeriesList? FindHolder(SeriesPath path) =>
        Find(path.Study)?.GetHolders(path.Series, backends.GetPreference).FirstOrDefault();

    /// <summary>An instance from the first visible backend whose list names it; null for none.</summary>
    public Instance? FindInstance(InstancePath path) => Find(path.Study)?.FindInstance(path, backends.GetPreference);

    private Study? Find(Uid study) => store.GetStudy(study) is { } found ? access.Restrict(found) : null;
}
