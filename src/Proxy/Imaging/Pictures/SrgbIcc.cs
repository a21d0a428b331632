using System.Buffers.Binary;

namespace Proxy.Imaging.Pictures;

/// <summary>Makes an ICC profile of sRGB (IEC 61966-2-1) of version 4: primaries adapted to D50 and the parametric curve.</summary>
/// <remarks>
/// <code>
/// header (128) │ count │ count × (signature, offset, length) │ desc │ cprt │ wtpt │ rXYZ │ gXYZ │ bXYZ │ curve of r, g and b
/// </code>
/// </remarks>
internal static class SrgbIcc
{
    private const int HeaderBytes = 128;

    /// <summary>The curve of type 3: ((x + 0.055) / 1.055)^2.4 from 0.04045 on, x / 12.92 below.</summary>
    private static readonly double[] Curve = [2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045];

    /// <summary>The profile.</summary>
    public static byte[] Create()
    {
        var curve = Concat("para\0\0\0\0"u8, [0, 3, 0, 0], Fixed(Curve));
        (string Name, byte[] Value)[] tags =
        [
            ("desc", Text("sRGB")), ("cprt", Text("CC0")), ("wtpt", Xyz(0.9642, 1, 0.8249)),
            ("rXYZ", Xyz(0.43607, 0.22249, 0.01392)), ("gXYZ", Xyz(0.38515, 0.71687, 0.09708)), ("bXYZ", Xyz(0.14307, 0.06061, 0.71410)),
            ("rTRC", curve), ("gTRC", curve), ("bTRC", curve),
        ];
        var profile = new List<byte>(new byte[HeaderBytes + 4 + tags.Length * 12]);
        var table = new List<byte>(Number(tags.Length));
        var offset = 0;
        foreach (var (name, value) in tags)
        {
            if (name is not ("gTRC" or "bTRC"))
            {
                offset = profile.Count;
                profile.AddRange(value);
                while (profile.Count % 4 != 0) profile.Add(0);
            }
            table.AddRange([.. System.Text.Encoding.ASCII.GetBytes(name), .. Number(offset), .. Number(value.Length)]);
        }
        var result = profile.ToArray();
        table.CopyTo(result, HeaderBytes);
        WriteHeader(result);
        return result;
    }

    private static void WriteHeader(Span<byte> profile)
    {
        Number(profile.Length).CopyTo(profile);
        profile[8] = 4;
        "mntrRGB XYZ "u8.CopyTo(profile[12..]);
        new byte[] { 0x07, 0xEA, 0, 1, 0, 1 }.CopyTo(profile[24..]);
        "acsp"u8.CopyTo(profile[36..]);
        Fixed([0.9642, 1, 0.8249]).CopyTo(profile[68..]);
    }

    /// <summary>A multiLocalizedUnicodeType of one text in English.</summary>
    private static byte[] Text(string text)
    {
        var characters = System.Text.Encoding.BigEndianUnicode.GetBytes(text);
        byte[] record = [.. Number(1), .. Number(12), .. "enUS"u8, .. Number(characters.Length), .. Number(28)];
        return Concat("mluc\0\0\0\0"u8, record, characters);
    }

    private static byte[] Xyz(double x, double y, double z) => Concat("XYZ \0\0\0\0"u8, Fixed([x, y, z]), []);

    /// <summary>Numbers as s15Fixed16Number.</summary>
    private static byte[] Fixed(double[] values) => [.. values.SelectMany(v => Number((int)Math.Round(v * 65_536)))];

    private static byte[] Number(int value)
    {
        var bytes = new byte[4];
        BinaryPrimitives.WriteInt32BigEndian(bytes, value);
        return bytes;
    }

    private static byte[] Concat(ReadOnlySpan<byte> first, ReadOnlySpan<byte> second, ReadOnlySpan<byte> third) =>
        [.. first, .. second, .. third];
}
