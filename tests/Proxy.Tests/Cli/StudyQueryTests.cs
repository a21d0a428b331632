using Proxy.Cli;
using Xunit;

namespace Proxy.Tests.Cli;

public sealed class StudyQueryTests
{
    private static readonly DateOnly Today = new(2026, 3, 1);

    [Theory]
    [InlineData("", "?")]
    [InlineData("CT today", "?ModalitiesInStudy=CT&StudyDate=20260301")]
    [InlineData("yesterday", "?StudyDate=20260228")]
    [InlineData("MR week", "?ModalitiesInStudy=MR&StudyDate=20260223-20260301")]
    [InlineData("2024", "?StudyDate=20240101-20241231")]
    [InlineData("20240101-20240131", "?StudyDate=20240101-20240131")]
    [InlineData("20240101-", "?StudyDate=20240101-")]
    [InlineData("1.2.840.1", "?StudyInstanceUID=1.2.840.1")]
    [InlineData("PatientID=7&8", "?PatientID=7%268")]
    public void ReadsOneSearch(string words, string query) => Assert.Equal([query], StudyQuery.Read([words], Today));

    [Fact]
    public void SearchesAFreeWordAsNameIdAndAccessionNumber() => Assert.Equal(
        [
            "?ModalitiesInStudy=CT&PatientName=*DOE*", "?ModalitiesInStudy=CT&PatientID=DOE", "?ModalitiesInStudy=CT&AccessionNumber=DOE",
        ],
        StudyQuery.Read(["CT", "DOE"], Today));

    [Fact]
    public void KeepsTheWildcardsOfAWord() =>
        Assert.Equal("?PatientName=DOE%5EJ*", StudyQuery.Read(["DOE^J*"], Today)[0]);

    [Fact]
    public void RefusesTwoFreeWords() =>
        Assert.Equal(ExitCode.Usage, Assert.Throws<CommandException>(() => StudyQuery.Read(["DOE JANE"], Today)).Code);
}
