using Proxy.Dicom;

namespace Proxy.Imaging.Pictures;

/// <summary>What a <see cref="NeutralPicture"/> stands for.</summary>
public enum NeutralKind
{
    /// <summary>An object of another kind.</summary>
    Other,

    /// <summary>An image that cannot be rendered.</summary>
    Image,

    /// <summary>A video.</summary>
    Video,

    /// <summary>An encapsulated document, such as a PDF.</summary>
    Document,

    /// <summary>A structured report.</summary>
    Report,

    /// <summary>A key object selection.</summary>
    KeyObjects,

    /// <summary>A presentation state.</summary>
    PresentationState,

    /// <summary>A waveform, such as an ECG.</summary>
    Waveform,

    /// <summary>An object of radiotherapy, such as a plan or a structure set.</summary>
    Radiotherapy,

    /// <summary>A surface or an encapsulated model.</summary>
    Model,
}

/// <summary>Tells the <see cref="NeutralKind"/> of an instance.</summary>
public static class NeutralKinds
{
    private const uint SopClassUidTag = 0x00080016;
    private const uint RowsTag = 0x00280010;
    private const string Storage = "1.2.840.10008.5.1.4.1.1.";

    /// <summary>The SOP classes that begin with a number below the root of storage classes (PS3.4 §B.5); the longest come first.</summary>
    private static readonly (string Start, NeutralKind Kind)[] Classes =
    [
        ("104.1", NeutralKind.Document), ("104.2", NeutralKind.Document), ("104.", NeutralKind.Model), ("66.5", NeutralKind.Model),
        ("68.", NeutralKind.Model), ("88.59", NeutralKind.KeyObjects), ("88.", NeutralKind.Report), ("11.", NeutralKind.PresentationState),
        ("9.", NeutralKind.Waveform), ("77.1.1.1", NeutralKind.Video), ("77.1.2.1", NeutralKind.Video), ("77.1.4.1", NeutralKind.Video),
        ("481.", NeutralKind.Radiotherapy),
    ];

    /// <summary>The kind of an instance, by its SOP class; an unknown class with Rows is an image.</summary>
    /// <param name="json">The dataset of the instance (PS3.18 Annex F).</param>
    public static NeutralKind Find(ReadOnlySpan<byte> json)
    {
        string? sopClass = null;
        var hasRows = false;
        try
        {
            for (var cursor = new DatasetCursor(json); cursor.MoveNext();)
            {
                if (cursor.Depth > 0 || cursor.Node != DatasetNode.Element) continue;
                if (cursor.Tag.Value == SopClassUidTag) sopClass = Presentation.ElementValues.ReadText(cursor.Attribute)?.Trim();
                hasRows |= cursor.Tag.Value == RowsTag;
            }
        }
        catch (System.Text.Json.JsonException)
        {
            return NeutralKind.Other;
        }
        foreach (var (start, kind) in Classes)
        {
            if (sopClass?.StartsWith(Storage + start, StringComparison.Ordinal) == true) return kind;
        }
        return hasRows ? NeutralKind.Image : NeutralKind.Other;
    }
}
