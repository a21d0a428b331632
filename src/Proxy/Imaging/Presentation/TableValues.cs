using Proxy.Dicom;

namespace Proxy.Imaging.Presentation;

/// <summary>The lookup tables of a dataset while it is read: modality, VOI and the three of the palette.</summary>
internal sealed class TableValues
{
    private const uint LutDescriptorTag = 0x00283002;
    private const uint LutDataTag = 0x00283006;
    private const uint PaletteDescriptorTag = 0x00281101;
    private const uint PaletteDataTag = 0x00281201;
    private const uint SegmentedPaletteDataTag = 0x00281221;
    private const int Colors = 3;

    private readonly Table _modality = new();
    private readonly Table _voi = new();
    private readonly Table[] _palette = [new(), new(), new()];

    /// <summary>The URIs of data of tables.</summary>
    public IEnumerable<string> Uris => new[] { _modality, _voi }.Concat(_palette).SelectMany(t => t.Uris);

    /// <summary>Takes an element of the dataset, if it belongs to the palette.</summary>
    public void Take(ref DatasetCursor cursor)
    {
        var tag = cursor.Tag.Value;
        if (tag - PaletteDescriptorTag < Colors) _palette[tag - PaletteDescriptorTag].TakeDescriptor(cursor.Attribute);
        else if (tag - PaletteDataTag < Colors) _palette[tag - PaletteDataTag].Data = BinaryValue.Read(ref cursor);
        else if (tag - SegmentedPaletteDataTag < Colors) _palette[tag - SegmentedPaletteDataTag].Segments = BinaryValue.Read(ref cursor);
    }

    /// <summary>Takes an element of the first item of the modality or VOI LUT sequence.</summary>
    public void TakeItem(ref DatasetCursor cursor, bool isModality)
    {
        var table = isModality ? _modality : _voi;
        if (cursor.Tag.Value == LutDescriptorTag) table.TakeDescriptor(cursor.Attribute);
        else if (cursor.Tag.Value == LutDataTag) table.Data = BinaryValue.Read(ref cursor);
    }

    /// <summary>Adds the tables to a presentation.</summary>
    public ImagePresentation Complete(ImagePresentation presentation, IReadOnlyDictionary<string, ReadOnlyMemory<byte>>? bulk) =>
        presentation with
        {
            ModalityLut = _modality.Complete(bulk),
            VoiLut = _voi.Complete(bulk),
            Palette = _palette.All(t => t.HasDescriptor) ? [.. _palette.Select(t => t.Complete(bulk)!)] : default,
        };

    /// <summary>One table.</summary>
    private sealed class Table
    {
        private LutDescriptor? _descriptor;

        public BinaryValue Data { get; set; }

        public BinaryValue Segments { get; set; }

        public bool HasDescriptor { get; private set; }

        public IEnumerable<string> Uris => new[] { Data.Uri, Segments.Uri }.OfType<string>();

        public void TakeDescriptor(ReadOnlySpan<byte> attribute)
        {
            Span<double> numbers = stackalloc double[3];
            _descriptor = LutDescriptor.Read(numbers[..ElementValues.ReadNumbers(attribute, numbers)]);
            HasDescriptor = true;
        }

        /// <summary>The table; null when the dataset has none.</summary>
        public LutSource? Complete(IReadOnlyDictionary<string, ReadOnlyMemory<byte>>? bulk)
        {
            if (!HasDescriptor) return null;
            var data = Data.Resolve(bulk);
            return data.IsEmpty && Segments.Resolve(bulk) is { IsEmpty: false } segments
                ? new(_descriptor, segments, IsSegmented: true)
                : new(_descriptor, data);
        }
    }
}

/// <summary>The value of an element with binary data: its bytes, or the URI of them.</summary>
/// <param name="Bytes">The bytes, little endian.</param>
/// <param name="Uri">The BulkDataURI; null when the bytes are in the dataset.</param>
internal readonly record struct BinaryValue(ReadOnlyMemory<byte> Bytes, string? Uri)
{
    /// <summary>The largest length of a value. Longer ones are cut: a table has 131,072 bytes, a profile much less than this.</summary>
    public const int MaxBytes = 4 * 1024 * 1024;

    /// <summary>Reads the value of the current element, in any of its three forms (PS3.18 §F.2.2).</summary>
    public static BinaryValue Read(ref DatasetCursor cursor) => cursor.Value switch
    {
        ElementValue.Inline => new(ElementValues.ReadBinary(cursor.Text, MaxBytes), null),
        ElementValue.Values => new(ElementValues.ReadWords(cursor.Text, MaxBytes), null),
        ElementValue.BulkData => new(default, ElementValues.ReadString(cursor.Text)),
        _ => default,
    };

    /// <summary>The bytes; empty when they are neither in the dataset nor in <paramref name="bulk"/>.</summary>
    public ReadOnlyMemory<byte> Resolve(IReadOnlyDictionary<string, ReadOnlyMemory<byte>>? bulk)
    {
        if (Uri is null) return Bytes;
        return bulk is not null && bulk.TryGetValue(Uri, out var bytes) ? bytes.Length > MaxBytes ? bytes[..MaxBytes] : bytes : default;
    }
}
