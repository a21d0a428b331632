using System.Text.RegularExpressions;
using Xunit;

namespace Proxy.Tests.Rules;

/// <summary>Text in the sources is plain technical English, and lines fit on a screen.</summary>
public sealed partial class LanguageTests
{
    private const int MaxColumns = 140;

    private static readonly string[] Refused =
    [
        "whoever", "whom", "anew", "of late", "so many", "so long as", "what is kept", "what was kept", "for ever", "nobody", "somebody",
        "everybody",
        "whatever", "however many", "he", "his", "him", "is to be had", "can be had", "cannot be had", "gives way", "give way",
        "broken off", "breaks off",
        "broke off", "is looked after", "looks after", "what came", "who asks", "who waits", "who reads",
    ];

    private static readonly Regex RefusedWords = new(
        $@"(?<![\w.-])(?:{string.Join('|', Refused.Select(Regex.Escape))})(?![\w(-])", RegexOptions.IgnoreCase);

    public static TheoryData<string> Files =>
    [
        .. SourceTree.EnumerateFiles("src").Concat(SourceTree.EnumerateFiles("tests"))
            .Where(f => !f.EndsWith("LanguageTests.cs", StringComparison.Ordinal)),
        .. SourceTree.EnumerateDocuments(),
    ];

    [Theory]
    [MemberData(nameof(Files))]
    public void TextIsPlain(string file)
    {
        var isCode = file.EndsWith(".cs", StringComparison.Ordinal);
        var offences =
            from line in File.ReadLines(SourceTree.GetPath(file)).Select((text, index) => (Text: text, Number: index + 1))
            from match in RefusedWords.Matches(isCode ? KeepText(line.Text) : line.Text)
            select $"{file}:{line.Number}: {match.Value}";
        Assert.Empty(offences);
    }

    /// <summary>A JSON document in a raw string stays in one line.</summary>
    [Fact]
    public void LinesHaveAtMost140Columns() => Assert.Empty(
        from file in SourceTree.EnumerateFiles("src").Concat(SourceTree.EnumerateFiles("tests"))
        from line in File.ReadLines(SourceTree.GetPath(file)).Select((text, index) => (Text: text, Number: index + 1))
        where line.Text.Length > MaxColumns && !line.Text.TrimStart().StartsWith("{\"", StringComparison.Ordinal)
        select $"{file}:{line.Number}: {line.Text.Length} columns");

    [Theory]
    [InlineData("/// <summary>Whoever waits gets it.</summary>", true)]
    [InlineData("log.Write(\"nobody answered\");", true)]
    [InlineData("var nobody = 1;", false)]
    [InlineData("// The cache evicts the entry.", false)]
    public void RefusedWordsAreFound_InCommentsAndStrings(string line, bool isRefused) =>
        Assert.Equal(isRefused, RefusedWords.IsMatch(KeepText(line)));

    /// <summary>The comments and string literals of a line of code.</summary>
    private static string KeepText(string line) => string.Join(' ', Text().Matches(line).Select(m => m.Value));

    [GeneratedRegex("""//.*|"(?:\\.|[^"\\])*"|^\s*\*.*""")]
    private static partial Regex Text();
}
