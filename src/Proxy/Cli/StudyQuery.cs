using System.Globalization;
using Proxy.Dicom;

namespace Proxy.Cli;

/// <summary>A search for studies in the words of a person: <c>CT today</c>, <c>DOE*</c>, <c>PatientID=7</c>, or a UID.</summary>
internal static class StudyQuery
{
    private static readonly string[] Modalities =
    [
        "CR", "CT", "DX", "ES", "IO", "MG", "MR", "NM", "OP", "OPT", "OT", "PT", "PX", "RF", "RTDOSE", "RTIMAGE", "RTPLAN",
        "RTSTRUCT", "SC", "SEG", "SM", "SR", "US", "XA", "XC",
    ];

    /// <summary>The queries whose results together are the answer; each begins with <c>?</c>.</summary>
    /// <param name="words">The words; all must match.</param>
    /// <param name="today">The day that <c>today</c> means.</param>
    /// <exception cref="CommandException">A word is not understood.</exception>
    public static IReadOnlyList<string> Read(IEnumerable<string> words, DateOnly today)
    {
        var parameters = new List<string>();
        string? free = null;
        foreach (var word in words.SelectMany(w => w.Split(' ', StringSplitOptions.RemoveEmptyEntries)))
        {
            if (word.Split('=', 2) is [{ Length: > 0 } name, var value]) parameters.Add($"{Escape(name)}={Escape(value)}");
            else if (Modalities.Contains(word, StringComparer.Ordinal)) parameters.Add("ModalitiesInStudy=" + word);
            else if (FindDate(word, today) is { } date) parameters.Add("StudyDate=" + date);
            else if (word.Contains('.', StringComparison.Ordinal) && Uid.TryParse(word, out _)) parameters.Add("StudyInstanceUID=" + word);
            else if (free is null) free = word;
            else
            {
                throw new CommandException(
                    $"\"{Terminal.Clean(word)}\": only one word for a name, an ID or an accession number; write PatientName={free}^...",
                    ExitCode.Usage);
            }
        }
        string[] keys = free is null ? [""] : [$"PatientName={Escape(AddWildcards(free))}", $"PatientID={Escape(free)}",
            $"AccessionNumber={Escape(free)}"];
        return [.. keys.Select(key => "?" + string.Join('&', parameters.Append(key).Where(p => p.Length > 0)))];
    }

    private static string? FindDate(string word, DateOnly today) => word.ToUpperInvariant() switch
    {
        "TODAY" => Format(today),
        "YESTERDAY" => Format(today.AddDays(-1)),
        "WEEK" => Format(today.AddDays(-6)) + "-" + Format(today),
        [('1' or '2'), ('9' or '0'), >= '0' and <= '9', >= '0' and <= '9'] => $"{word}0101-{word}1231",
        _ => word.Split('-').All(day => day.Length == 0
            || DateOnly.TryParseExact(day, "yyyyMMdd", CultureInfo.InvariantCulture, DateTimeStyles.None, out _))
            && word.Length is 8 or 9 or 17 ? word : null,
    };

    private static string Format(DateOnly day) => day.ToString("yyyyMMdd", CultureInfo.InvariantCulture);

    private static string AddWildcards(string word) => word.AsSpan().ContainsAny('*', '?') ? word : $"*{word}*";

    private static string Escape(string text) => Uri.EscapeDataString(text).Replace("%2A", "*", StringComparison.Ordinal);
}
