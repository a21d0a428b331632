using System.Diagnostics.CodeAnalysis;

namespace Proxy.Dicom;

/// <summary>A DICOM unique identifier: 1 to 64 characters, components of digits with single dots between them (PS3.5 §9.1).</summary>
/// <remarks>
/// <para>
/// Read more leniently than PS3.5 §9.1 in two points. A component may begin with zeros: old archives hold such UIDs. They are
/// compared as text: <c>1.02</c> and <c>1.2</c> differ. Padding at the end (spaces, NULs) is taken off, as it is no part of a UID.
/// </para>
/// <para>
/// Every UID that a client or a backend names passes through here, so what is kept as a <see cref="Uid"/> can stand in
/// a URL, a cache key or a log line as it is.
/// </para>
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

    /// <summary>Reads a UID; padding at its end is taken off.</summary>
    public static bool TryParse([NotNullWhen(true)] string? text, out Uid uid)
    {
        uid = default;
        if (text is null) return false;
        text = text.TrimEnd('\0', ' ');
        if (!IsUid<char>(text)) return false;
        uid = new(text);
        return true;
    }

    /// <inheritdoc cref="TryParse(string?, out Uid)"/>
    public static bool TryParse(ReadOnlySpan<char> text, out Uid uid)
    {
        text = text.TrimEnd("\0 ");
        uid = default;
        if (!IsUid(text)) return false;
        uid = new(new string(text));
        return true;
    }

    /// <inheritdoc cref="TryParse(string?, out Uid)"/>
    public static bool TryParse(ReadOnlySpan<byte> text, out Uid uid)
    {
        text = text.TrimEnd("\0 "u8);
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

    /// <summary>Components of digits, none of them empty, separated by single dots.</summary>
    internal static bool IsUid<T>(ReadOnlySpan<T> text) where T : struct, System.Numerics.IBinaryInteger<T>
    {
        if (text.IsEmpty || text.Length > MaxLength) return false;
        var isEmpty = true;
        foreach (var character in text)
        {
            var digit = uint.CreateTruncating(character) - '0';
            if (digit > 9 && (digit != unchecked((uint)('.' - '0')) || isEmpty)) return false;
            isEmpty = digit > 9;
        }
        return !isEmpty;
    }
}
