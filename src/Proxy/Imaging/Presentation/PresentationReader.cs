using System.Collections.Immutable;
using System.Text.Json;
using Proxy.Dicom;

namespace Proxy.Imaging.Presentation;

/// <summary>Reads the presentations of consecutive frames in one pass over a dataset.</summary>
/// <remarks>
/// <code>
/// dataset                                   rescale, window, padding, palette, ICC profile …
///   Modality LUT Sequence, VOI LUT Sequence   item 1: descriptor, data
///   Shared Functional Groups Sequence         item 1 ┐ Pixel Value Transformation, Frame VOI LUT,
///   Per-frame Functional Groups Sequence      item n ┘ Pixel Measures Sequence: item 1
/// </code>
/// </remarks>
/// <param name="first">The number of the first frame, from 1.</param>
/// <param name="count">The number of frames.</param>
internal sealed class PresentationReader(int first, int count)
{
    private const uint ModalityLutSequence = 0x00283000;
    private const uint VoiLutSequence = 0x00283010;
    private const uint SharedGroups = 0x52009229;
    private const uint FrameGroups = 0x52009230;

    private readonly FrameValues _dataset = new();
    private readonly FrameValues _shared = new();
    private readonly FrameValues?[] _frames = new FrameValues?[count];
    private readonly TableValues _tables = new();
    private readonly DatasetValues _values = new();

    /// <summary>Reads the presentations, one for each frame. A dataset that is not JSON gives what is before its first error.</summary>
    public ImmutableArray<ImagePresentation> Read(ReadOnlySpan<byte> json, IReadOnlyDictionary<string, ReadOnlyMemory<byte>>? bulk)
    {
        Walk(json);
        var whole = _values.Complete(_tables.Complete(new(), bulk), bulk);
        var frames = ImmutableArray.CreateBuilder<ImagePresentation>(count);
        foreach (var frame in _frames) frames.Add(Complete(whole, frame));
        return frames.MoveToImmutable();
    }

    /// <summary>The URIs of values that a presentation needs.</summary>
    public ImmutableArray<string> FindUris(ReadOnlySpan<byte> json)
    {
        Walk(json);
        return [.. _tables.Uris.Concat(_values.Uris).Distinct(StringComparer.Ordinal)];
    }

    private ImagePresentation Complete(ImagePresentation whole, FrameValues? frame) => whole with
    {
        RescaleSlope = frame?.Slope ?? _shared.Slope ?? _dataset.Slope ?? 1,
        RescaleIntercept = frame?.Intercept ?? _shared.Intercept ?? _dataset.Intercept ?? 0,
        Window = frame?.Window ?? _shared.Window ?? _dataset.Window,
        PixelAspect = frame?.PixelAspect ?? _shared.PixelAspect ?? _dataset.PixelAspect ?? 1,
    };

    private void Walk(ReadOnlySpan<byte> json)
    {
        if (json.IsEmpty) return;
        try
        {
            Span<uint> sequences = stackalloc uint[2];
            Span<int> items = stackalloc int[3];
            for (var cursor = new DatasetCursor(json); cursor.MoveNext();)
            {
                if (cursor.Node == DatasetNode.Item && cursor.Depth < items.Length) items[cursor.Depth]++;
                if (cursor.Node != DatasetNode.Element || cursor.Depth >= items.Length) continue;
                if (cursor.Value != ElementValue.Items)
                {
                    Take(ref cursor, sequences, items);
                }
                else if (cursor.Depth < sequences.Length)
                {
                    sequences[cursor.Depth] = cursor.Tag.Value;
                    items[cursor.Depth + 1] = 0;
                }
            }
        }
        catch (JsonException)
        {
            // What was read is used: a picture without its window is better than none.
        }
    }

    private void Take(ref DatasetCursor cursor, scoped ReadOnlySpan<uint> sequences, scoped ReadOnlySpan<int> items)
    {
        var tag = cursor.Tag.Value;
        switch (cursor.Depth)
        {
            case 0:
                _dataset.Take(tag, cursor.Attribute);
                _tables.Take(ref cursor);
                _values.Take(ref cursor);
                break;
            case 1 when sequences[0] is ModalityLutSequence or VoiLutSequence && items[1] == 1:
                _tables.TakeItem(ref cursor, isModality: sequences[0] == ModalityLutSequence);
                break;
            case 2 when items[2] == 1 && FrameValues.IsRead(sequences[1]):
                var at = items[1] - first;
                if (sequences[0] == SharedGroups && items[1] == 1) _shared.Take(tag, cursor.Attribute);
                else if (sequences[0] == FrameGroups && at >= 0 && at < count) (_frames[at] ??= new()).Take(tag, cursor.Attribute);
                break;
            default:
                break;
        }
    }
}
