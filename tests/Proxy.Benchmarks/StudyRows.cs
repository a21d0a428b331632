using System.Globalization;
using System.Text;

namespace Proxy.Benchmarks;

/// <summary>Rows of a study search, about 920 bytes and 17 attributes each, as one text with commas between them.</summary>
internal sealed class StudyRows
{
    private static readonly string[] Modalities = ["\"CT\"", "\"MR\",\"SR\"", "\"DX\"", "\"US\"", "\"PT\",\"CT\""];
    private static readonly string[] Names = ["Meier^Anna", "Jensen^Søren^^Dr.", "O'Neill^Mary^Kate", "García^José", "Kowalski^Jan"];

    private readonly byte[] _text;
    private readonly int[] _ends;

    /// <param name="pacs">The number of the PACS, a part of every UID.</param>
    /// <param name="count">The number of rows.</param>
    public StudyRows(int pacs, int count)
    {
        _ends = new int[count];
        using var text = new MemoryStream();
        for (var i = 0; i < count; i++)
        {
            if (i > 0) text.WriteByte((byte)',');
            text.Write(Encoding.UTF8.GetBytes(Row(pacs, i)));
            _ends[i] = (int)text.Length;
        }
        _text = text.ToArray();
    }

    public int Count => _ends.Length;

    public ReadOnlyMemory<byte> Slice(int first, int count) =>
        count <= 0 ? default : _text.AsMemory((first == 0 ? 0 : _ends[first - 1] + 1).._ends[first + count - 1]);

    /// <summary>Dates repeat and are unordered, as in an archive that does not sort its answers.</summary>
    private static string Row(int pacs, int number)
    {
        var mixed = (pacs * 1_000_003L + number) * 7_919 % 1_000_000;
        var uid = string.Create(
            CultureInfo.InvariantCulture, $"1.2.276.0.7230010.3.1.2.{1_000_000 + pacs}.{4_000_000_000L + mixed}.{number + 1}");
        var date = new DateOnly(2015, 1, 1).AddDays((int)(mixed % 3_650)).ToString("yyyyMMdd", CultureInfo.InvariantCulture);
        var birth = new DateOnly(1930, 1, 1).AddDays((int)(mixed % 30_000)).ToString("yyyyMMdd", CultureInfo.InvariantCulture);
        var time = new TimeOnly(mixed * 36_000).ToString("HHmmss", CultureInfo.InvariantCulture);
        var (modalities, name) = (Modalities[mixed % Modalities.Length], Names[mixed % Names.Length]);
        return string.Create(CultureInfo.InvariantCulture, $$$"""
            {"00080005":{"vr":"CS","Value":["ISO_IR 192"]},"00080020":{"vr":"DA","Value":["{{{date}}}"]},"00080030":{"vr":"TM","Value":["{{{time}}}.000"]},"00080050":{"vr":"SH","Value":["A{{{mixed:D8}}}"]},"00080056":{"vr":"CS","Value":["ONLINE"]},"00080061":{"vr":"CS","Value":[{{{modalities}}}]},"00080090":{"vr":"PN","Value":[{"Alphabetic":"Referring^Physician {{{mixed % 97}}}"}]},"00081030":{"vr":"LO","Value":["Study of region {{{mixed % 41}}}"]},"00081190":{"vr":"UR","Value":["http://pacs{{{pacs}}}.hospital.example:8080/dicom-web/studies/{{{uid}}}"]},"00100010":{"vr":"PN","Value":[{"Alphabetic":"{{{name}}} {{{mixed}}}"}]},"00100020":{"vr":"LO","Value":["{{{pacs}}}-{{{mixed:D7}}}"]},"00100030":{"vr":"DA","Value":["{{{birth}}}"]},"00100040":{"vr":"CS","Value":["{{{(mixed % 2 == 0 ? 'F' : 'M')}}}"]},"0020000D":{"vr":"UI","Value":["{{{uid}}}"]},"00200010":{"vr":"SH","Value":["{{{number + 1}}}"]},"00201206":{"vr":"IS","Value":[{{{1 + mixed % 6}}}]},"00201208":{"vr":"IS","Value":[{{{20 + mixed % 900}}}]}}
            """);
    }
}
