using System.Diagnostics.CodeAnalysis;

namespace Proxy.Dicom;

/// <summary>A DICOM unique identifier: at most 64 characters of digits and dots (PS3.5 §9.1).</summary>
/// <remarks>
/// Every UID that a client or a backend names passes through here, so what is kept as a <see cref="Uid"/> can stand in
/// a URL, a cache key or a log line as it is.
/// </remarks>
public readonly record struct Uid : IComparable<Uid>
{
    /// <summary>The longest UID that PS3.5 §9.1 allows, in characters.</summary>
    public const int MaxLength = 64;

    private readonly string? _value;

    private Uid(string value) => _value = value;

    /// <exception cref="FormatException">The text is not a UID.</exception>
    public static Uid Parse(string text) =>
        TryParse(text, out var uid) ? uid : throw new FormatException("Not a UID (PS3.5 §9.1).");

    public static bool TryParse([NotNullWhen(true)] string? text, out Uid uid)
    {
        uid = default;
        if (text is null || !IsUid<char>(text)) return false;
        uid = new(text);
        return true;
    }

    public static bool TryParse(ReadOnlySpan<char> text, out Uid uid)
    {
        uid = default;
        if (!IsUid(text)) return false;
        uid = new(new string(text));
        return true;
    }

    /// <summary>Reads a UID as it stands in an answer; trailing padding (PS3.5 §9.1: one NUL) is taken off.</summary>
    public static bool TryParse(ReadOnlySpan<byte> text, out Uid uid)
    {
        text = text.TrimEnd((byte)0).TrimEnd((byte)' ');
        uid = default;
        if (!IsUid(text)) return false;
        uid = new(System.Text.Encoding.ASCII.GetString(text));
        return true;
    }

    public int CompareTo(Uid other) => string.CompareOrdinal(_value, other._value);

    public override string ToString() => _value ?? "";

    public static bool operator <(Uid left, Uid right) => left.CompareTo(right) < 0;

    public static bool operator >(Uid left, Uid right) => left.CompareTo(right) > 0;

    public static bool operator <=(Uid left, Uid right) => left.CompareTo(right) <= 0;

    public static bool operator >=(Uid left, Uid right) => left.CompareTo(right) >= 0;

    /// <summary>Components of digits, separated by single dots; none but "0" itself begins with a zero.</summary>
    internal static bool IsUid<T>(ReadOnlySpan<T> text) where T : struct, System.Numerics.IBinaryInteger<T>
    {
        if (text.IsEmpty || text.Length > MaxLength) return false;
        var length = 0;
        var isZero = false;
        foreach (var character in text)
        {
            var digit = uint.CreateTruncating(character) - '0';
            if (digit <= 9)
            {
                if (isZero) return false;
                isZero = digit == 0 && length == 0;
                length++;
                continue;
            }
            if (digit != unchecked((uint)('.' - '0')) || length == 0) return false;
            length = 0;
            isZero = false;
        }
        return length > 0;
    }
}
