using Proxy.Backends;
using Proxy.Cache;
using Proxy.Cache.InMemory;
using Proxy.Dicom;
using Proxy.Operations;
using Proxy.Retrieve.Checks;
using Proxy.Wire;
using Proxy.Wire.Part10;

namespace Proxy.Retrieve;

/// <summary>Cuts bulk data out of the whole instance, for the links that the proxy wrote when it read the instance's file.</summary>
/// <remarks>
/// The instance is in the cache as a rule; otherwise it is requested whole from the backend that sent it. A value of a big endian or
/// deflated file is copied, any other value is a part of the cached file.
/// </remarks>
public sealed class FileBulkData(BodyReader instances)
{
    private const string PixelData = "7FE00010";

    /// <summary>The limit of a value that must be copied, in bytes.</summary>
    private const long MaxCopiedBytes = 64 * 1024 * 1024;

    /// <summary>As stored, else in the form that every backend gives.</summary>
    private static readonly Negotiation Forms =
        Negotiation.ForInstances(Accept.Parse($"{BodyFormat.Dicom}; transfer-syntax=*, {BodyFormat.Dicom}; q=0.5"));

    /// <summary>Reads the value.</summary>
    /// <param name="backend">The backend that sent the instance.</param>
    /// <param name="item">An item with a <see cref="BulkDataPath.FilePath"/>.</param>
    /// <param name="cancellation">Cancelled when the client disconnects.</param>
    /// <returns>Without a body and without failures, the backend does not have it.</returns>
    public async Task<BodyResult> ReadAsync(BackendOptions backend, BulkDataPath item, CancellationToken cancellation)
    {
        if (!EntryCheck.TryParsePath(item.Resource, out var path, out _)) return BodyResult.None([]);
        var whole = await ReadWholeAsync(backend, path, cancellation);
        return whole.Body is ICachedBody cached ? await CutAsync(cached, backend.Name, item, cancellation) : whole;
    }

    /// <summary>The instance and the number of its frames, if the item is the compressed pixel data of several; null otherwise.</summary>
    /// <inheritdoc cref="ReadAsync"/>
    public async Task<(InstancePath Path, int Count)?> FindFramesAsync(
        BackendOptions backend, BulkDataPath item, CancellationToken cancellation)
    {
        if (item.FilePath != PixelData || !EntryCheck.TryParsePath(item.Resource, out var path, out _)) return null;
        using var whole = await ReadWholeAsync(backend, path, cancellation);
        if (whole.Body is not ICachedBody cached) return null;
        var frames = await cached.InspectAsync(
            readAt => Part10Reader.FindFrames(cached.Length, readAt, out _), cancellation);
        return frames is { Count: > 1 } && frames.MediaType != MediaType.OctetStream ? (path, frames.Count) : null;
    }

    /// <summary>The instance in the cache; without a body, the backend does not have it or failed.</summary>
    private async Task<BodyResult> ReadWholeAsync(BackendOptions backend, InstancePath path, CancellationToken cancellation)
    {
        // The second pass finds the instance in the cache; a third one, if the instance was about to be stored.
        for (var pass = 0; pass < 3; pass++)
        {
            var whole = await instances.ReadFromAsync(backend, path, Forms, Placement.MemoryAndDisk, cancellation);
            if (whole.Body is ICachedBody or null) return whole;
            using (whole)
            {
                try
                {
                    while (!(await whole.Body.ReadAsync(cancellation)).IsEmpty)
                    {
                        // The cache has the bytes.
                    }
                }
                catch (TruncatedBodyException)
                {
                    return BodyResult.None([new(backend.Name, BackendError.BadAnswer, "the instance was truncated")]);
                }
            }
        }
        return BodyResult.None([new(backend.Name, BackendError.Busy, "the cache has no room for the instance")]);
    }

    private static async Task<BodyResult> CutAsync(ICachedBody whole, string backend, BulkDataPath item, CancellationToken cancellation)
    {
        FileValue? value = null;
        try
        {
            value = await whole.InspectAsync(readAt => Find(whole.Length, readAt, item.FilePath!), cancellation);
            if (value is { Copy: null }) return BodyResult.Hit(whole.Cut(value.Head, value.Ranges), backend);
            return value is null
                ? BodyResult.None([])
                : BodyResult.Hit(new MemoryBody(value.Head, whole.Stored!.Value, whole.IsPrefetched, [value.Copy]), backend);
        }
        finally
        {
            // A cut body owns the body that it was cut from.
            if (value is not { Copy: null }) whole.Dispose();
        }
    }

    /// <summary>A value in a file.</summary>
    /// <param name="Head">The head of its body.</param>
    /// <param name="Ranges">Its bytes in the file.</param>
    /// <param name="Copy">Its bytes, when they are not in the file as they are sent.</param>
    private sealed record FileValue(EntryHead Head, IReadOnlyList<(long Offset, long Length)> Ranges, byte[]? Copy);

    /// <summary>The value at a path; null when the file has no such value, or it is too large to be copied.</summary>
    private static FileValue? Find(long length, ReadAt read, string path)
    {
        try
        {
            var dataset = Part10DatasetReader.Read(length, read, links: "");
            if (dataset.Bulk.FirstOrDefault(bulk => bulk.Path == path) is not { } value) return null;
            var syntax = dataset.TransferSyntaxUid;
            // Several fragments may be several frames, and these together are no image.
            var type = value.IsEncapsulated && value.Ranges.Count == 1 ? TransferSyntax.FindFrameType(syntax) : null;
            var head = new EntryHead(type ?? MediaType.OctetStream, type is null ? null : syntax.ToString(), value.Length);
            if (!dataset.MustCopy(value)) return new(head, [.. value.Ranges.Select(range => (range.Offset, range.Length))], null);
            return value.Length <= MaxCopiedBytes ? new(head, [], Part10DatasetReader.Copy(length, read, dataset, value)) : null;
        }
        catch (MalformedAnswerException)
        {
            return null;
        }
    }
}
