using System.Globalization;

namespace Proxy.Dicom;

/// <summary>The name of an attribute: group and element (PS3.5 §7.1), eight hexadecimal digits in DICOM JSON.</summary>
/// <param name="Value">The group in the high 16 bits, the element in the low 16 bits.</param>
public readonly record struct Tag(uint Value) : IComparable<Tag>
{
    // The attributes that the proxy reads, each under its keyword in PS3.6.
#pragma warning disable CS1591
    public static readonly Tag SpecificCharacterSet = new(0x00080005);
    public static readonly Tag SopInstanceUid = new(0x00080018);
    public static readonly Tag StudyDate = new(0x00080020);
    public static readonly Tag StudyTime = new(0x00080030);
    public static readonly Tag InstanceAvailability = new(0x00080056);
    public static readonly Tag Modality = new(0x00080060);
    public static readonly Tag ModalitiesInStudy = new(0x00080061);
    public static readonly Tag StudyDescription = new(0x00081030);
    public static readonly Tag RetrieveUrl = new(0x00081190);
    public static readonly Tag PatientName = new(0x00100010);
    public static readonly Tag PatientId = new(0x00100020);
    public static readonly Tag PatientBirthDate = new(0x00100030);
    public static readonly Tag IssuerOfPatientId = new(0x00100021);
    public static readonly Tag StudyInstanceUid = new(0x0020000D);
    public static readonly Tag SeriesInstanceUid = new(0x0020000E);
    public static readonly Tag SeriesNumber = new(0x00200011);
    public static readonly Tag InstanceNumber = new(0x00200013);
    public static readonly Tag NumberOfStudyRelatedSeries = new(0x00201206);
    public static readonly Tag NumberOfStudyRelatedInstances = new(0x00201208);
    public static readonly Tag NumberOfSeriesRelatedInstances = new(0x00201209);
    public static readonly Tag NumberOfFrames = new(0x00280008);
#pragma warning restore CS1591

    /// <summary>True for an attribute that the standard does not define: its group is odd (PS3.5 §7.8).</summary>
    public bool IsPrivate => (Value & 0x10000) != 0;

    /// <summary>True for the element that reserves a block of private elements for its creator (PS3.5 §7.8.1).</summary>
    public bool IsPrivateCreator => IsPrivate && (Value & 0xFFFF) is >= 0x10 and <= 0xFF;

    /// <summary>The group and the number of the private block of a private element or of its creator.</summary>
    public uint PrivateBlock => (Value & 0xFFFF0000) | (IsPrivateCreator ? Value & 0xFF : Value >> 8 & 0xFF);

    /// <summary>Reads eight hexadecimal digits, in either case.</summary>
    public static bool TryParse(ReadOnlySpan<char> text, out Tag tag)
    {
        tag = default;
        // The framework's parser ignores trailing NUL characters.
        if (text.Length != 8 || text.Contains('\0')
            || !uint.TryParse(text, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var value))
            return false;
        tag = new(value);
        return true;
    }

    /// <summary>Reads the member name of a DICOM JSON object: eight hexadecimal digits (PS3.18 F.2.2), in either case.</summary>
    public static bool TryParse(ReadOnlySpan<byte> text, out Tag tag)
    {
        tag = default;
        if (text.Length != 8) return false;
        uint value = 0;
        foreach (var c in text)
        {
            var digit = c switch
            {
                >= (byte)'0' and <= (byte)'9' => c - '0',
                >= (byte)'A' and <= (byte)'F' => c - 'A' + 10,
                >= (byte)'a' and <= (byte)'f' => c - 'a' + 10,
                _ => -1,
            };
            if (digit < 0) return false;
            value = (value << 4) | (uint)digit;
        }
        tag = new(value);
        return true;
    }

    /// <inheritdoc/>
    public int CompareTo(Tag other) => Value.CompareTo(other.Value);

    /// <summary>Eight hexadecimal digits in upper case.</summary>
    public override string ToString() => Value.ToString("X8", CultureInfo.InvariantCulture);

    /// <summary>Compares by group, then by element.</summary>
    public static bool operator <(Tag left, Tag right) => left.Value < right.Value;

    /// <summary>Compares by group, then by element.</summary>
    public static bool operator >(Tag left, Tag right) => left.Value > right.Value;

    /// <summary>Compares by group, then by element.</summary>
    public static bool operator <=(Tag left, Tag right) => left.Value <= right.Value;

    /// <summary>Compares by group, then by element.</summary>
    public static bool operator >=(Tag left, Tag right) => left.Value >= right.Value;
}
