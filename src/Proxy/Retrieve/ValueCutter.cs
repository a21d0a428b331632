using System.Globalization;
using System.Text;
using Proxy.Cache;
using Proxy.Dicom;
using Proxy.Metadata;
using Proxy.Retrieve.Checks;
using Proxy.Wire;
using Proxy.Wire.Part10;

namespace Proxy.Retrieve;

/// <summary>Cuts bulk data out of cached whole instances, so that an instance that was retrieved once needs no request for it.</summary>
/// <remarks>
/// <code>
/// BulkDataURI ──► attribute, by the stored metadata ──► its bytes in the cached file ──► a body
/// </code>
/// Values that are not in the file as they are sent are left to the backend: in deflated and big endian files, and compressed pixel
/// data of several frames.
/// </remarks>
public sealed class ValueCutter(EntryCache cache, AnswerCache answers, DicomMetadataStore store, PixelDescriptions pixels)
{
    private const string PixelData = "7FE00010";

    private static readonly BodyFormat[] Files =
        [new(BodyFormat.Dicom, BodyFormat.Any), new(BodyFormat.Dicom, BodyFormat.ExplicitLittleEndian)];

    private readonly Answers<ValuesKey, Values> _values = answers.For<ValuesKey, Values>();

    /// <summary>The key of the values of one cached instance.</summary>
    private sealed record ValuesKey(EntryKey Instance, DateTimeOffset? Stored);

    /// <summary>The positions of the values in an instance.</summary>
    /// <param name="ByPath">By <see cref="BulkValue.Path"/>.</param>
    /// <param name="TransferSyntax">The transfer syntax of the file.</param>
    private sealed record Values(IReadOnlyDictionary<string, BulkValue> ByPath, string TransferSyntax);

    /// <summary>The first bytes of a value.</summary>
    private sealed record Start(byte[] Bytes);

    /// <summary>The bulk data from a cached instance; null when the instance is not cached or does not contain it as it is sent.</summary>
    /// <param name="backend">The backend that named it.</param>
    /// <param name="item">The bulk data item.</param>
    /// <param name="cancellation">Cancelled when the client disconnects.</param>
    public async ValueTask<ICachedBody?> CutAsync(string backend, BulkDataPath item, CancellationToken cancellation)
    {
        if (FindInstance(item.Resource) is not { } path || FindAttribute(backend, path, item.Link) is not { } attribute) return null;
        var files = Files.Select(format => new AcceptableEntry(new(backend, path.ToString(), format), IsContainer: true));
        if (await cache.FindAsync(files, cancellation) is not var (key, whole)) return null;
        ICachedBody? cut = null;
        try
        {
            return cut = await CutAsync(key, whole, path, attribute, cancellation);
        }
        finally
        {
            // A cut value owns the body that it was cut from.
            if (cut is null) whole.Dispose();
        }
    }

    private async ValueTask<ICachedBody?> CutAsync(
        EntryKey key, ICachedBody whole, InstancePath path, string attribute, CancellationToken cancellation)
    {
        if (await FindValuesAsync(key, whole, cancellation) is not { } values || !values.ByPath.TryGetValue(attribute, out var value))
            return null;
        var length = value.Ranges.Sum(r => r.Length);
        var type = TransferSyntax.FindFrameType(Uid.Parse(values.TransferSyntax));
        var isCompressed = attribute == PixelData && type != MediaType.OctetStream;
        if (isCompressed)
        {
            return pixels.Find(key.Backend, path)?.NumberOfFrames is null or 1
                ? whole.Cut(new(type!, values.TransferSyntax, length), GetRanges(value))
                : null;
        }
        var first = value.Ranges[0];
        var start = await whole.InspectAsync(
            readAt =>
            {
                var bytes = new byte[(int)Math.Min(first.Length, Codestream.StartBytes)];
                return new Start(bytes[..readAt(first.Offset, bytes)]);
            },
            cancellation);
        // The disk failed, which says nothing about the value.
        if (start is null) return null;
        return whole.Cut(new(Codestream.FindType(start.Bytes) ?? MediaType.OctetStream, null, length), GetRanges(value));
    }

    /// <summary>The values of an instance; null, and not remembered, when the disk failed.</summary>
    private async ValueTask<Values?> FindValuesAsync(EntryKey key, ICachedBody whole, CancellationToken cancellation)
    {
        var valuesKey = new ValuesKey(key, whole.Stored);
        if (_values.TryFind(valuesKey, out var known)) return known;
        if (await whole.InspectAsync(readAt => Read(whole.Length, readAt), cancellation) is not { } values) return null;
        _values.Add(valuesKey, values, 128 + values.ByPath.Sum(v => 128L + 16 * v.Value.Ranges.Count));
        return values;
    }

    private static Values Read(long length, ReadAt readAt)
    {
        try
        {
            var dataset = Part10DatasetReader.Read(length, readAt, "");
            // Null for deflated and big endian files, among others: the bytes of their values are not what a client gets.
            if (TransferSyntax.FindFrameType(dataset.TransferSyntaxUid) is not null)
                return new(dataset.Bulk.ToDictionary(v => v.Path), dataset.TransferSyntaxUid.ToString());
        }
        catch (MalformedAnswerException)
        {
            // The backend may still give the value.
        }
        return new(new Dictionary<string, BulkValue>(), BodyFormat.ExplicitLittleEndian);
    }

    private static (long Offset, long Length)[] GetRanges(BulkValue value) => [.. value.Ranges.Select(r => (r.Offset, r.Length))];

    private static InstancePath? FindInstance(string resource) =>
        resource.Split('/') is ["studies", var s, "series", var e, "instances", var i] && Uid.TryParse(s, out var study)
            && Uid.TryParse(e, out var series) && Uid.TryParse(i, out var instance)
            ? new(study, series, instance)
            : null;

    /// <summary>
    /// The attribute whose value a stored link names, as in <see cref="BulkValue.Path"/>; null when the metadata is not known.
    /// </summary>
    private string? FindAttribute(string backend, InstancePath path, string link) =>
        store.GetStudy(path.Study)?.GetList(backend).FindSeries(path.Series)?.Metadata?.FindJson(path.Instance) is { } json
            ? FindAttribute(json.Span, Encoding.UTF8.GetBytes($"\"\uFFFF{link}\""))
            : null;

    private static string? FindAttribute(ReadOnlySpan<byte> json, ReadOnlySpan<byte> link)
    {
        var items = new List<(Tag Sequence, int Item)>();
        for (var cursor = new DatasetCursor(json); cursor.MoveNext();)
        {
            if (cursor.Node == DatasetNode.Item) items[^1] = (items[^1].Sequence, items[^1].Item + 1);
            else if (cursor.Node == DatasetNode.SequenceEnd) items.RemoveAt(items.Count - 1);
            if (cursor.Node != DatasetNode.Element) continue;
            if (cursor.Value == ElementValue.Items) items.Add((cursor.Tag, 0));
            if (cursor.Value == ElementValue.BulkData && cursor.Text.SequenceEqual(link))
                return Join(items, cursor.Tag);
        }
        return null;
    }

    private static string Join(List<(Tag Sequence, int Item)> items, Tag tag) =>
        string.Concat(items.Select(i => string.Create(CultureInfo.InvariantCulture, $"{i.Sequence}.{i.Item}."))) + tag;
}
