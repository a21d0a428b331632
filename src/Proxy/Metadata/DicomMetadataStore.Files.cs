using Proxy.Dicom;
using Proxy.Events;

namespace Proxy.Metadata;

/// <summary>The metadata of single instances, from their own files.</summary>
public sealed partial class DicomMetadataStore
{
    /// <summary>
    /// The limit of <see cref="Series.FileMetadata"/>: a client that needs more of a series reads the metadata of the series.
    /// </summary>
    private const int MaxFileMetadata = 500;

    /// <summary>
    /// Stores the metadata of an instance from its own file, which is no list of the instances of its series. Metadata of the series that
    /// has the instance is not replaced. <see cref="ProxyEvent.InstancesAdded"/> names the instance if it is new to clients.
    /// </summary>
    /// <param name="backend">The backend that sent the file.</param>
    /// <param name="path">The instance.</param>
    /// <param name="metadata">Its dataset, and the time at which the backend sent or accepted the file.</param>
    /// <returns>The metadata as stored or, when there is no room for it, as it would be.</returns>
    public FileMetadata AddFileMetadata(string backend, InstancePath path, FileMetadata metadata)
    {
        _studies.Update(path.Study, study =>
        {
            var list = study.GetList(backend);
            var series = list.FindSeries(path.Series) ?? new Series(path.Series);
            if (series.Metadata?.Has(path.Instance) == true) return study;
            var files = series.FileMetadata;
            return files.Count >= MaxFileMetadata && !files.ContainsKey(path.Instance)
                ? study
                : study.With(list.With(series with { FileMetadata = files.SetItem(path.Instance, metadata) }));
        });
        return metadata;
    }

    /// <summary>
    /// Makes the metadata of a series from that of the files of its instances, if all of them are here: the backend need not be asked.
    /// </summary>
    /// <param name="backend">The backend of the series.</param>
    /// <param name="path">The series.</param>
    /// <param name="oldest">The time after which the backend sent or accepted the files.</param>
    /// <returns>The series; null when it has metadata already, or a file is missing or too old.</returns>
    public Series? AddMetadataOfFiles(string backend, SeriesPath path, DateTimeOffset oldest)
    {
        Series? made = null;
        _studies.Update(path.Study, study =>
        {
            var list = study.GetList(backend);
            made = list.FindSeries(path.Series)?.WithMetadataOfFiles(oldest);
            return made is null ? study : study.With(list.With(made));
        });
        return made;
    }
}
