using Proxy.Cli;
using Xunit;

namespace Proxy.Tests.Cli;

public sealed class TerminalTests
{
    [Theory]
    [InlineData("DOE^JANE", "DOE^JANE")]
    [InlineData("山田^太郎", "山田^太郎")]
    [InlineData("[red]x[/]", "[red]x[/]")]
    [InlineData("\u001b[2Jgone", "?[2Jgone")]
    [InlineData("a\u009b31mb\r\nc", "a?31mb??c")]
    [InlineData("abc\u202edef", "abc?def")]
    public void ReplacesWhatDrivesATerminal(string text, string shown) => Assert.Equal(shown, Terminal.Clean(text));

    [Fact]
    public void CutsALongText() => Assert.Equal(new string('x', 80) + "...", Terminal.Clean(new string('x', 5000)));

    [Fact]
    public void WritesColumnsOfText_WithoutMarkup()
    {
        using var output = new StringWriter();

        new Terminal(output, TextWriter.Null).WriteTable(["name", "count"], [["[red]DOE[/]", "3"], ["[nonsense", "12"]]);

        Assert.Equal(
            ["name         count", "[red]DOE[/]  3", "[nonsense    12"],
            output.ToString().Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => line.TrimEnd()));
    }

    [Theory]
    [InlineData(true, '╭')]
    [InlineData(false, '+')]
    public void DrawsLinesThatTheScreenShows(bool isUnicode, char corner)
    {
        using var output = new StringWriter();

        new Terminal(output, TextWriter.Null) { IsScreen = true, IsUnicode = isUnicode }.WriteTable(["name"], [["x"]]);

        Assert.Equal(corner, output.ToString()[0]);
    }
}
