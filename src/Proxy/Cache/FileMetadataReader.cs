using Proxy.Dicom;
using Proxy.Metadata;
using Proxy.Wire;
using Proxy.Wire.Part10;

namespace Proxy.Cache;

/// <summary>Reads the datasets of whole instances into the store, as metadata of single instances.</summary>
public sealed class FileMetadataReader(DicomMetadataStore store)
{
    /// <summary>A dataset in memory takes several times its size, so the limit is the number of processors.</summary>
    private readonly SemaphoreSlim _readers = new(Environment.ProcessorCount);

    /// <summary>Reads the dataset of a file into the store.</summary>
    /// <param name="backend">The backend that holds the instance.</param>
    /// <param name="path">The instance.</param>
    /// <param name="body">Its file, as the backend sent it.</param>
    /// <param name="cancellation">Cancelled when the client disconnects.</param>
    /// <returns>The metadata; null when the file is not a dataset of this instance.</returns>
    public async ValueTask<FileMetadata?> ReadAsync(
        string backend, InstancePath path, ICachedBody body, CancellationToken cancellation) =>
        await PackAsync(backend, path, body, cancellation) is { } packed
            ? store.AddFileMetadata(backend, path, new(packed, body.Stored!.Value))
            : null;

    /// <summary>Reads the dataset of a file in the form of the store, without adding it.</summary>
    /// <inheritdoc cref="ReadAsync"/>
    public async ValueTask<PackedInstances?> PackAsync(
        string backend, InstancePath path, ICachedBody body, CancellationToken cancellation)
    {
        await _readers.WaitAsync(cancellation);
        try
        {
            var dataset = await body.InspectAsync(readAt => Read(body.Length, readAt, backend, path), cancellation);
            return dataset is null ? null : PackedInstances.Pack(path.Instance, dataset.Json.Span);
        }
        finally
        {
            _readers.Release();
        }
    }

    private static Part10Dataset? Read(long length, ReadAt read, string backend, InstancePath path)
    {
        try
        {
            var dataset = Part10DatasetReader.Read(length, read, GetLinks(backend, path));
            return dataset.Path == path ? dataset : null;
        }
        catch (MalformedAnswerException)
        {
            return null;
        }
    }

    /// <summary>The BulkDataURI of a value in the file of an instance, in front of its path, as stored metadata holds it.</summary>
    internal static string GetLinks(string backend, InstancePath path) =>
        "\uFFFF" + new BulkDataPath(backend, path.ToString(), $"{BulkDataPath.InFile}").Link;
}
