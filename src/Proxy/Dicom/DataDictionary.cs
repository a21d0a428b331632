using System.Collections.Frozen;
using System.Globalization;

namespace Proxy.Dicom;

/// <summary>The VRs of the standard's data elements (PS3.6), for datasets that do not write them (PS3.5 §A.1).</summary>
/// <remarks>
/// <c>vrs.txt</c> was generated from the dictionary of pydicom 2.3.1, with one group per line:
/// <code>
/// 0010 0010PN 0020LO …     (0010,0010) is a PN, (0010,0020) an LO
/// 0028 … 0106xs …          xs is US or SS, as Pixel Representation (0028,0103) says
/// </code>
/// An element that is OW or a VR of the same bytes is listed as OW, which is what implicit VR means (PS3.5 §A.1). A repeating group
/// (60xx) is listed under its first tag (6000).
/// </remarks>
public static class DataDictionary
{
    /// <summary>US or SS, in the form of the VRs: two letters, the first in the higher byte.</summary>
    public const ushort UsOrSs = ('x' << 8) | 's';

    private const ushort Un = ('U' << 8) | 'N';
    private const ushort Lo = ('L' << 8) | 'O';

    private static readonly FrozenDictionary<uint, ushort> Vrs = Read();

    /// <summary>
    /// The two letters of an element's VR, the first in the higher byte; <see cref="UsOrSs"/> for one of those two; UN for an element
    /// that the standard does not define. A private creator is an LO (PS3.5 §7.8.1).
    /// </summary>
    public static ushort FindVr(Tag tag)
    {
        if (Vrs.TryGetValue(tag.Value, out var vr)) return vr;
        if ((tag.Value & 0x10000) != 0) return (tag.Value & 0xFFFF) is >= 0x10 and <= 0xFF ? Lo : Un;
        return Vrs.GetValueOrDefault(GetFirst(tag.Value), Un);
    }

    /// <summary>The first tag of a repeating group, or of repeating elements in a group (PS3.5 §7.6).</summary>
    private static uint GetFirst(uint tag) => (tag >> 16) switch
    {
        0x0020 when (tag & 0xFF00) == 0x3100 => tag & 0xFFFFFF00,
        // (0028,0400) to (0028,0403) are other elements: the first of this repetition is (0028,0420).
        0x0028 when (tag & 0xF00) == 0x400 => (tag & 0xFFFFFF0F) | 0x20,
        0x0028 when (tag & 0xF00) == 0x800 => tag & 0xFFFFFF0F,
        0x1000 => tag & 0xFFFF000F,
        0x1010 => tag & 0xFFFF0000,
        var group when (group & 0xFF00) is 0x5000 or 0x6000 or 0x7F00 => tag & 0xFF00FFFF,
        _ => tag,
    };

    private static FrozenDictionary<uint, ushort> Read()
    {
        using var resource = typeof(DataDictionary).Assembly.GetManifestResourceStream("vrs.txt")!;
        using var reader = new StreamReader(resource);
        var vrs = new Dictionary<uint, ushort>();
        while (reader.ReadLine() is { } line)
        {
            var elements = line.Split(' ');
            var group = ReadHex(elements[0]) << 16;
            foreach (var element in elements.AsSpan(1)) vrs.Add(group | ReadHex(element[..4]), (ushort)((element[4] << 8) | element[5]));
        }
        return vrs.ToFrozenDictionary();
    }

    private static uint ReadHex(string digits) => uint.Parse(digits, NumberStyles.HexNumber, CultureInfo.InvariantCulture);
}
