using System.Buffers.Binary;
using System.Buffers.Text;
using System.Globalization;
using System.Text.Json;
using Proxy.Dicom;

namespace Proxy.Imaging.Presentation;

/// <summary>Reads the values of an element of a dataset (PS3.18 §F.2.2). Values of a wrong type are as if they were absent.</summary>
internal static class ElementValues
{
    /// <summary>Reads the first numbers of a value object; a DS may be a string (PS3.18 §F.2.3).</summary>
    /// <returns>How many numbers were read: all before the first value that is none.</returns>
    public static int ReadNumbers(ReadOnlySpan<byte> value, Span<double> numbers)
    {
        var reader = new Utf8JsonReader(value, Dataset.ReaderOptions);
        if (!TryEnterValues(ref reader)) return 0;
        var count = 0;
        while (count < numbers.Length && reader.Read() && FindNumber(ref reader) is { } number) numbers[count++] = number;
        return count;
    }

    /// <summary>The first text of a value object; null when the first value is none.</summary>
    public static string? ReadText(ReadOnlySpan<byte> value)
    {
        var reader = new Utf8JsonReader(value, Dataset.ReaderOptions);
        return TryEnterValues(ref reader) && reader.Read() ? FindText(ref reader) : null;
    }

    /// <summary>The words of a list of integers, little endian; cut before the first value that is no 16-bit integer.</summary>
    /// <param name="values">The array of the values.</param>
    /// <param name="maxBytes">The length after which values are ignored.</param>
    public static byte[] ReadWords(ReadOnlySpan<byte> values, int maxBytes)
    {
        var reader = new Utf8JsonReader(values, Dataset.ReaderOptions);
        if (!reader.Read() || reader.TokenType != JsonTokenType.StartArray) return [];
        var bytes = new byte[Math.Min(maxBytes, values.Length)];
        var length = 0;
        while (length + 2 <= bytes.Length && reader.Read()
            && FindNumber(ref reader) is >= short.MinValue and <= ushort.MaxValue and var word)
        {
            BinaryPrimitives.WriteUInt16LittleEndian(bytes.AsSpan(length), (ushort)(int)word);
            length += 2;
        }
        return bytes[..length];
    }

    /// <summary>The bytes of a base64 string, cut after <paramref name="maxBytes"/>; empty when it is not base64.</summary>
    /// <param name="text">The string with its quotes.</param>
    /// <param name="maxBytes">The largest length.</param>
    public static byte[] ReadBinary(ReadOnlySpan<byte> text, int maxBytes)
    {
        var reader = new Utf8JsonReader(text);
        if (!reader.Read() || reader.TokenType != JsonTokenType.String || text.Length > Base64.GetMaxEncodedToUtf8Length(maxBytes) * 2L)
            return [];
        return reader.TryGetBytesFromBase64(out var bytes) ? bytes.Length > maxBytes ? bytes[..maxBytes] : bytes : [];
    }

    /// <summary>A string with its quotes as text; null when it is not text.</summary>
    public static string? ReadString(ReadOnlySpan<byte> text)
    {
        var reader = new Utf8JsonReader(text);
        return reader.Read() ? FindText(ref reader) : null;
    }

    private static bool TryEnterValues(ref Utf8JsonReader reader)
    {
        if (!reader.Read()) return false;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var isValue = reader.ValueTextEquals("Value"u8);
            reader.Read();
            if (isValue && reader.TokenType == JsonTokenType.StartArray) return true;
            reader.Skip();
        }
        return false;
    }

    private static double? FindNumber(ref Utf8JsonReader reader)
    {
        double number;
        var isNumber = reader.TokenType == JsonTokenType.Number
            ? Utf8Parser.TryParse(reader.ValueSpan, out number, out _)
            : double.TryParse(FindText(ref reader), NumberStyles.Float, CultureInfo.InvariantCulture, out number);
        return isNumber && double.IsFinite(number) ? number : null;
    }

    /// <summary>A text; null when the value is no string or has an escape that is half of a surrogate pair.</summary>
    private static string? FindText(ref Utf8JsonReader reader)
    {
        if (reader.TokenType != JsonTokenType.String) return null;
        try
        {
            return reader.GetString();
        }
        catch (InvalidOperationException)
        {
            return null;
        }
    }
}
