using System.Text;
using Proxy.Dicom;
using Proxy.Wire;

namespace Proxy.Tests.Wire;

/// <summary>Backend answers as the readers return them.</summary>
internal static class Answers
{
    /// <summary>All datasets of an answer.</summary>
    public static async Task<List<Dataset>> ReadAsync(Stream stream)
    {
        var datasets = new List<Dataset>();
        await foreach (var dataset in DicomJsonReader.ReadAsync(stream)) datasets.Add(dataset);
        return datasets;
    }

    public static Task<List<Dataset>> ReadAsync(byte[] answer) => ReadAsync(new MemoryStream(answer));

    public static Task<List<Dataset>> ReadAsync(string answer) => ReadAsync(Encoding.UTF8.GetBytes(answer));

    /// <summary>The datasets before the reader refused the rest, and whether it refused nothing. Other exceptions pass through.</summary>
    public static async Task<(List<string> Datasets, bool IsWhole)> TryReadAsync(Stream stream)
    {
        var datasets = new List<string>();
        try
        {
            await foreach (var dataset in DicomJsonReader.ReadAsync(stream)) datasets.Add(Text(dataset));
            return (datasets, true);
        }
        catch (MalformedAnswerException)
        {
            return (datasets, false);
        }
    }

    /// <summary>One dataset, from the text of its object.</summary>
    public static Dataset Dataset(string json) => ReadAsync($"[{json}]").GetAwaiter().GetResult().Single();

    public static string Text(Dataset dataset) => Encoding.UTF8.GetString(dataset.Json.Span);

    public static string Text(ReadOnlySpan<byte> utf8) => Encoding.UTF8.GetString(utf8);
}
