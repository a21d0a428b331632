namespace Proxy.Wire.Part10;

/// <summary>The form of a value in a file (PS3.5 §6.2) and in DICOM JSON (PS3.18 §F.2.3).</summary>
internal enum VrForm : byte
{
    /// <summary>Two bytes that are no VR.</summary>
    Unknown,

    /// <summary>Texts in the default character repertoire; spaces around each have no meaning.</summary>
    Code,

    /// <summary>Texts in the character set of the dataset.</summary>
    Text,

    /// <summary>One text in the character set of the dataset.</summary>
    LongText,

    /// <summary>One text in the default character repertoire.</summary>
    Address,

    /// <summary>Decimal numbers as text.</summary>
    NumberText,

    /// <summary>Person names.</summary>
    Name,

    /// <summary>Tags.</summary>
    Tag,

    /// <summary>Integers of 16 bits.</summary>
    UInt16,

    /// <inheritdoc cref="UInt16"/>
    Int16,

    /// <summary>Integers of 32 bits.</summary>
    UInt32,

    /// <inheritdoc cref="UInt32"/>
    Int32,

    /// <summary>Integers of 64 bits.</summary>
    UInt64,

    /// <inheritdoc cref="UInt64"/>
    Int64,

    /// <summary>Floating-point numbers of 32 bits.</summary>
    Single,

    /// <summary>Floating-point numbers of 64 bits.</summary>
    Double,

    /// <summary>Bytes, or numbers that are written as bytes.</summary>
    Binary,

    /// <summary>Items.</summary>
    Sequence,
}

/// <summary>A value representation (PS3.5 §6.2).</summary>
/// <param name="Form">The form of its values.</param>
/// <param name="Size">The number of bytes of one number; 1 for text and bytes.</param>
/// <param name="Unit">The number of bytes that a big endian file reverses; 1 for text and bytes.</param>
/// <param name="IsShort">True when a length of 16 bits follows the VR; false for two reserved bytes and 32 bits (PS3.5 §7.1.2).</param>
internal readonly record struct Vr(VrForm Form, byte Size, byte Unit, bool IsShort)
{
    private const int Letters = 26;

    /// <summary>A longer binary value is bulk data: it is seldom needed to show an image.</summary>
    private const int MaxBinaryBytes = 1024;

    /// <summary>A longer list of numbers is bulk data. A look-up table of 16 bits fits.</summary>
    private const int MaxNumberBytes = 128 * 1024;

    /// <summary>By the two letters; the last entry is that of all other bytes.</summary>
    private static readonly Vr[] All = Create();

    /// <summary>True for one of the VRs of the standard.</summary>
    public bool IsKnown => Form != VrForm.Unknown;

    /// <summary>The VR of two letters, the first in the higher byte.</summary>
    public static Vr Find(ushort letters)
    {
        var (first, second) = ((uint)(letters >> 8) - 'A', (uint)(letters & 0xFF) - 'A');
        return All[first < Letters && second < Letters ? first * Letters + second : Letters * Letters];
    }

    /// <summary>True when a value of this length is referred to by a BulkDataURI.</summary>
    public bool IsBulk(uint length) =>
        length > MaxBinaryBytes && (Form == VrForm.Binary || length > MaxNumberBytes && Form is >= VrForm.Tag and <= VrForm.Double);

    private static Vr[] Create()
    {
        var all = new Vr[Letters * Letters + 1];
        Add("AE AS CS DA DT TM UI", new(VrForm.Code, 1, 1, IsShort: true));
        Add("LO SH", new(VrForm.Text, 1, 1, IsShort: true));
        Add("UC", new(VrForm.Text, 1, 1, IsShort: false));
        Add("LT ST", new(VrForm.LongText, 1, 1, IsShort: true));
        Add("UT", new(VrForm.LongText, 1, 1, IsShort: false));
        Add("UR", new(VrForm.Address, 1, 1, IsShort: false));
        Add("DS IS", new(VrForm.NumberText, 1, 1, IsShort: true));
        Add("PN", new(VrForm.Name, 1, 1, IsShort: true));
        Add("AT", new(VrForm.Tag, 4, 2, IsShort: true));
        Add("US", new(VrForm.UInt16, 2, 2, IsShort: true));
        Add("SS", new(VrForm.Int16, 2, 2, IsShort: true));
        Add("UL", new(VrForm.UInt32, 4, 4, IsShort: true));
        Add("SL", new(VrForm.Int32, 4, 4, IsShort: true));
        Add("UV", new(VrForm.UInt64, 8, 8, IsShort: false));
        Add("SV", new(VrForm.Int64, 8, 8, IsShort: false));
        Add("FL", new(VrForm.Single, 4, 4, IsShort: true));
        Add("FD", new(VrForm.Double, 8, 8, IsShort: true));
        Add("OB UN", new(VrForm.Binary, 1, 1, IsShort: false));
        Add("OW", new(VrForm.Binary, 2, 2, IsShort: false));
        Add("OF OL", new(VrForm.Binary, 4, 4, IsShort: false));
        Add("OD OV", new(VrForm.Binary, 8, 8, IsShort: false));
        Add("SQ", new(VrForm.Sequence, 1, 1, IsShort: false));
        return all;

        void Add(string letters, Vr vr)
        {
            foreach (var two in letters.Split(' ')) all[(two[0] - 'A') * Letters + two[1] - 'A'] = vr;
        }
    }
}
