using System.Globalization;
using Proxy.Dicom;
using Proxy.Metadata;
using Proxy.Wire;

namespace Proxy.Rendering.Making;

/// <summary>What an instance can be rendered to (the resource categories of PS3.18 §8.7.2).</summary>
internal enum RenderableKind
{
    /// <summary>Nothing by the proxy: a report, a presentation state, a structure set.</summary>
    Nothing,

    /// <summary>One picture per frame.</summary>
    Image,

    /// <summary>The stored video.</summary>
    Video,

    /// <summary>The encapsulated PDF document.</summary>
    Document,
}

/// <summary>What the metadata of an instance says about its rendering.</summary>
/// <param name="Kind">What the instance can be rendered to.</param>
/// <param name="Frames">The number of frames, at least 1.</param>
/// <param name="Size">Columns and rows; null when unknown.</param>
/// <param name="InstanceNumber">Instance Number (0020,0013); null when missing.</param>
internal sealed record Renderable(RenderableKind Kind, int Frames, (int Columns, int Rows)? Size, int? InstanceNumber)
{
    private const uint SopClassUid = 0x00080016;
    private const uint DocumentType = 0x00420012;
    private const string Pdf = "application/pdf";

    /// <summary>Encapsulated PDF Storage (PS3.4 §B.5).</summary>
    private const string PdfClass = "1.2.840.10008.5.1.4.1.1.104.1";

    /// <summary>Video Endoscopic, Microscopic and Photographic Image Storage (PS3.4 §B.5).</summary>
    private static readonly string[] VideoClasses =
        ["1.2.840.10008.5.1.4.1.1.77.1.1.1", "1.2.840.10008.5.1.4.1.1.77.1.2.1", "1.2.840.10008.5.1.4.1.1.77.1.4.1"];

    /// <summary>True for an object with frames.</summary>
    public bool IsShown => Kind is RenderableKind.Image or RenderableKind.Video;

    /// <summary>The frame in the middle, which represents the instance. A video is one frame for its archive.</summary>
    public int MiddleFrame => Kind == RenderableKind.Video ? 1 : Frames / 2 + 1;

    /// <summary>Reads a dataset.</summary>
    /// <param name="json">One dataset of DICOM JSON, as <see cref="PackedInstances"/> holds it.</param>
    public static Renderable Read(ReadOnlySpan<byte> json)
    {
        string? sopClass = null, document = null, number = null;
        for (var cursor = new DatasetCursor(json); cursor.MoveNext();)
        {
            if (cursor is not { Node: DatasetNode.Element, Depth: 0 }) continue;
            if (cursor.Tag.Value == SopClassUid) sopClass = Dataset.ReadFirst(cursor.Attribute)?.TrimEnd('\0', ' ');
            else if (cursor.Tag == Tag.InstanceNumber) number = Dataset.ReadFirst(cursor.Attribute)?.Trim();
            else if (cursor.Tag.Value == DocumentType) document = Dataset.ReadFirst(cursor.Attribute)?.TrimEnd('\0', ' ');
        }
        var pixels = PixelDescription.Read(json);
        var isVideo = VideoClasses.Contains(sopClass) || Codestream.FindCoding("", pixels.AvailableTransferSyntax) == PixelCoding.Video;
        var kind = pixels.HasPixels ? isVideo ? RenderableKind.Video : RenderableKind.Image
            : sopClass == PdfClass || Pdf.Equals(document, StringComparison.OrdinalIgnoreCase) ? RenderableKind.Document
            : RenderableKind.Nothing;
        return new(
            kind, pixels.NumberOfFrames ?? 1, pixels is { Columns: { } columns, Rows: { } rows } ? (columns, rows) : null,
            int.TryParse(number, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var read) ? read : null);
    }
}
