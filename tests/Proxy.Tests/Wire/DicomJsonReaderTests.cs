using System.IO.Pipelines;
using System.Text;
using System.Text.Json;
using FsCheck;
using FsCheck.Xunit;
using Proxy.Dicom;
using Proxy.Wire;
using Xunit;

namespace Proxy.Tests.Wire;

public class DicomJsonReaderTests
{
    [Property(MaxTest = 60)]
    public async Task ReadsTheSameDatasets_ForAnyChunking(DoNotSize<int> any)
    {
        var seed = any.Item;
        // More than two of the reader's buffers, so that datasets cross their borders.
        var answer = RandomDatasets.Answer(seed, 250);
        var (datasets, isWhole) = await Answers.TryReadAsync(PieceStream.Random(answer, seed, most: 40_000));
        Assert.True(isWhole);
        Assert.Equal(RandomDatasets.Texts(seed, 250), datasets);
    }

    [Property(MaxTest = 60)]
    public async Task ReadsTheSameDatasets_OneByteAtATime(DoNotSize<int> any)
    {
        var seed = any.Item;
        var (datasets, isWhole) = await Answers.TryReadAsync(new PieceStream(RandomDatasets.Answer(seed, 8), _ => 1));
        Assert.True(isWhole);
        Assert.Equal(RandomDatasets.Texts(seed, 8), datasets);
    }

    [Property(MaxTest = 60)]
    public async Task RefusesAPrefixOfAnAnswer_AfterItsCompleteDatasets(DoNotSize<int> any)
    {
        var seed = any.Item;
        var answer = RandomDatasets.Answer(seed, 60);
        var texts = RandomDatasets.Texts(seed, 60);
        var random = new Random(seed);
        for (var i = 0; i < 20; i++)
        {
            var cut = answer.AsMemory(0, random.Next(answer.Length));
            var (datasets, isWhole) = await Answers.TryReadAsync(PieceStream.Random(cut, seed, most: 10_000));
            Assert.False(isWhole);
            Assert.Equal(texts.Take(datasets.Count), datasets);
        }
    }

    [Fact]
    public async Task RefusesEveryPrefixOfASmallAnswer()
    {
        var answer = RandomDatasets.Answer(seed: 7, count: 3);
        for (var length = 0; length < answer.Length; length++)
            Assert.False((await Answers.TryReadAsync(new MemoryStream(answer, 0, length))).IsWhole);
    }

    [Property(MaxTest = 1500)]
    public async Task RefusesADamagedAnswer_OrReadsValidJson(DoNotSize<int> any)
    {
        var seed = any.Item;
        var answer = RandomDatasets.Answer(seed, 3);
        var random = new Random(seed);
        for (var i = random.Next(1, 4); i > 0; i--) answer[random.Next(answer.Length)] = (byte)random.Next(256);
        var (datasets, _) = await Answers.TryReadAsync(new MemoryStream(answer));
        // The datasets are sent to clients, so they must be valid JSON.
        foreach (var dataset in datasets) using (JsonDocument.Parse(dataset, new() { MaxDepth = 300 })) { }
    }

    [Property(MaxTest = 60)]
    public async Task IndexesEveryAttribute(DoNotSize<int> any)
    {
        var seed = any.Item;
        foreach (var dataset in await Answers.ReadAsync(PieceStream.Random(RandomDatasets.Answer(seed, 5), seed, 50)))
        {
            using var json = JsonDocument.Parse(dataset.Json, new() { MaxDepth = 300 });
            var members = json.RootElement.EnumerateObject().ToList();
            Assert.Equal(members.Select(m => m.Name.ToUpperInvariant()), dataset.Attributes.Select(a => a.Tag.ToString()));
            Assert.Equal(
                members.Select(m => m.Value.GetRawText()), dataset.Attributes.Select(a => Answers.Text(dataset.FindAttribute(a.Tag))));
        }
    }

    [Fact]
    public async Task FindsUrlsAtAnyDepth()
    {
        var dataset = (await Answers.ReadAsync("""
            [{ "00081190": {"vr":"UR","Value":["http://pacs/1"]},
               "00081199": {"vr":"SQ","Value":[
                   {"0040A730":{"vr":"SQ","Value":[{"00091001":{"vr":"OB","BulkDataURI":"http://pacs/2"}}]},
                    "00081190":{"Value":["http:\/\/pacs\/3"],"vr":"UR"}}]},
               "00081030": {"vr":"LO","Value":["http://pacs/no"]},
               "7FE00010": {"BulkDataURI":"http://pacs/4","vr":"OW"} }]
            """)).Single();

        var links = dataset.Links.Select(l => (Answers.Text(dataset.Json.Span[l.Start..l.End]), l.IsBulkData));

        Assert.Equal([("http://pacs/1", false), ("http://pacs/2", true), ("http:\\/\\/pacs\\/3", false), ("http://pacs/4", true)], links);
    }

    [Fact]
    public async Task AcceptsAnEmptyArray()
    {
        Assert.Empty(await Answers.ReadAsync("[]"));
        Assert.Empty(await Answers.ReadAsync(" \r\n\t[ ] \n"));
    }

    [Fact]
    public async Task SkipsAByteOrderMark() => Assert.Single(await Answers.ReadAsync("\uFEFF[{}]"));

    [Theory]
    [InlineData("")]
    [InlineData(" ")]
    [InlineData("null")]
    [InlineData("{}")]
    [InlineData("{\"00080018\":{\"vr\":\"UI\",\"Value\":[\"1.2\"]}}")]
    [InlineData("\"text\"")]
    [InlineData("1")]
    [InlineData("[null]")]
    [InlineData("[[]]")]
    [InlineData("[[{}]]")]
    [InlineData("[1]")]
    [InlineData("[{},]")]
    [InlineData("[{}]x")]
    [InlineData("[{}][]")]
    [InlineData("[{}],{}")]
    [InlineData("[{}")]
    [InlineData("[{} {}]")]
    [InlineData("<!DOCTYPE html><html><body>Please log in</body></html>")]
    [InlineData("[{\"00180050\":{\"vr\":\"DS\",\"Value\":[NaN]}}]")]
    [InlineData("[{\"00180050\":{\"vr\":\"DS\",\"Value\":[Infinity]}}]")]
    [InlineData("[{\"00180050\":{\"vr\":\"DS\",\"Value\":[01]}}]")]
    [InlineData("[{\"00180050\":{\"vr\":\"DS\",\"Value\":[1,]}}]")]
    [InlineData("[/* comment */]")]
    [InlineData("\uFEFF")]
    public async Task RefusesAnAnswerThatIsNotAnArrayOfDatasets(string answer) =>
        await Assert.ThrowsAsync<MalformedAnswerException>(() => Answers.ReadAsync(answer));

    private const string Uid = "\"0020000D\":{\"vr\":\"UI\",\"Value\":[\"1.2.3\"]}";

    private const string Name = "\"00100010\":{\"vr\":\"PN\",\"Value\":[{\"Alphabetic\":\"DOE^JANE\"}]}";

    [Theory]
    [InlineData("\"name\":{\"vr\":\"UI\"}")]
    [InlineData("\"0008\":{\"vr\":\"UI\"}")]
    [InlineData("\"\":1")]
    [InlineData("\"HttpError\":\"no\"")]
    [InlineData("\"\\ud83d\":{\"vr\":\"UI\"}")]
    [InlineData("\"name\":{\"0020000D\":{\"vr\":\"UI\",\"Value\":[\"1.9\"]}}")]
    [InlineData("\"name\":[{\"0020000D\":{\"vr\":\"UI\",\"Value\":[\"1.9\"]}},[[]]]")]
    [InlineData("\"00080018\":null")]
    [InlineData("\"00080018\":true")]
    [InlineData("\"00080018\":1.5")]
    [InlineData("\"00080018\":\"1.2\"")]
    [InlineData("\"00080018\":[]")]
    [InlineData("\"00080018\":[{\"vr\":\"UI\",\"Value\":[\"1.2\"]},{}]")]
    [InlineData("\"00100020\":{\"vr\":\"LO\",\"Value\":[\"\\ud83d\"]}")]
    [InlineData("\"00100020\":{\"vr\":\"LO\",\"Value\":[\"\\ude00\"]}")]
    [InlineData("\"00100020\":{\"vr\":\"LO\",\"Value\":[\"\\ude00\\ud83d\"]}")]
    [InlineData("\"00100020\":{\"\\ud83d\":\"LO\"}")]
    [InlineData("\"0040A730\":{\"vr\":\"SQ\",\"Value\":[{\"00100020\":{\"vr\":\"LO\",\"Value\":[\"a\",\"\\ude00\"]}}]}")]
    [InlineData("\"00100020\":{\"vr\":\"LO\",\"Value\":[\"\uFFFF\"]}")]
    public async Task RemovesOnlyInvalidAttributes(string odd)
    {
        string[] answers = [$"[{{{odd},{Uid},{Name}}}]", $"[{{{Uid}, {odd} ,{Name}}}]", $"[{{{Uid},{Name},{odd}}}]"];
        foreach (var answer in answers)
        {
            var dataset = (await Answers.ReadAsync(answer)).Single();
            Assert.Equal($"{{{Uid},{Name}}}", Answers.Text(dataset));
            Assert.Equal([Tag.StudyInstanceUid, Tag.PatientName], dataset.Attributes.Select(a => a.Tag));
            Assert.Equal("DOE^JANE", dataset.FindString(Tag.PatientName));
            Assert.Equal(1, dataset.LeftOut);
            var row = await ReadRowAsync(answer);
            Assert.Equal(("1.2.3", "DOE^JANE", 1), (row.FindString(Tag.StudyInstanceUid), row.FindString(Tag.PatientName), row.LeftOut));
        }
    }

    [Fact]
    public async Task RefusesBytesThatAreNotUtf8() =>
        await Assert.ThrowsAsync<MalformedAnswerException>(
            () => Answers.ReadAsync(Encoding.Latin1.GetBytes("[{\"00100010\":{\"vr\":\"PN\",\"Value\":[{\"Alphabetic\":\"Müller\"}]}}]")));

    [Theory]
    [InlineData("[null,{},1,\"x\",[{\"0020000D\":{\"vr\":\"UI\"}},[]],true]", 6, 1)]
    [InlineData("[{},[[[{}]]]]", 2, 0)]
    public async Task ReadsAnEmptyDataset_WhenAnElementIsNotAnObject(string answer, int count, int dataset)
    {
        var datasets = await Answers.ReadAsync(answer);
        Assert.Equal(count, datasets.Count);
        Assert.All(datasets, d => Assert.Empty(d.Attributes));
        Assert.Equal("{}", Answers.Text(datasets[dataset]));
    }

    [Fact]
    public async Task ReadsTheOtherElements_WhenOneIsInvalid()
    {
        var right = $"{{{Uid},{Name}}}";
        string[] odd = ["{\"00080018\":[1]," + Uid + "}", "[{\"x\":[]}]", "null", "{" + Uid + "," + Uid + "}"];
        var answer = "[" + string.Join(",", odd.Select(o => $"{right},{o}")) + $",{right}]";
        for (var piece = 1; piece < 8; piece++)
        {
            var datasets = await Answers.ReadAsync(new PieceStream(Encoding.UTF8.GetBytes(answer), _ => piece));
            Assert.Equal([right, $"{{{Uid}}}", right, "{}", right, "{}", right, $"{{{Uid}}}", right], datasets.Select(Answers.Text));
        }
    }

    [Theory]
    [InlineData("\"00080018\":{\"vr\":\"UI\"},\"00080018\":{\"vr\":\"UI\"}", "00080018", 1)]
    [InlineData("\"00080018\":{\"vr\":\"UI\",\"Value\":[\"1\"]},\"00080018\":{\"vr\":\"UI\",\"Value\":[\"2\"]}", "", 2)]
    [InlineData("\"0020000d\":{\"vr\":\"UI\"},\"00080018\":{\"vr\":\"UI\"},\"0020000D\":{\"vr\":\"UI\"}", "0020000D,00080018", 1)]
    [InlineData("\"00080018\":{\"Value\":[1]},\"00080018\":{\"Value\":[2]},\"00080018\":{\"Value\":[1]}", "", 3)]
    public async Task KeepsARepeatedTag_OnlyWhenItsValuesAreEqual(string members, string tags, int leftOut)
    {
        var dataset = (await Answers.ReadAsync($"[{{{members}}}]")).Single();
        Assert.Equal(tags, string.Join(',', dataset.Attributes.Select(a => a.Tag)));
        Assert.Equal(leftOut, dataset.LeftOut);
    }

    [Fact]
    public async Task ReadsAnOftenRepeatedTagInOnePass()
    {
        var members = string.Join(',', Enumerable.Range(0, 200_000).Select(i => $"\"00080018\":{{\"Value\":[{i % 2}]}}"));
        Assert.Equal(200_000, (await Answers.ReadAsync($"[{{{members}}}]")).Single().LeftOut);
    }

    [Theory]
    [InlineData("CS", "[\"CT\\\\SR\"]", "[\"CT\",\"SR\"]")]
    [InlineData("CS", "[\"CT\\u005cSR\",\"MR\"]", "[\"CT\",\"SR\",\"MR\"]")]
    [InlineData("DS", "[\"1.0\\\\-2\\\\3\"]", "[\"1.0\",\"-2\",\"3\"]")]
    [InlineData("LO", "[\"a\\\\\"]", "[\"a\",null]")]
    [InlineData("LO", "[\"a\\\"b\\\\é\"]", "[\"a\\\"b\",\"é\"]")]
    [InlineData("UI", "[\"1.2 \\\\1.3\\u0000\"]", "[\"1.2\",\"1.3\"]")]
    [InlineData("LT", "[\"C:\\\\x \"]", "[\"C:\\\\x \"]")]
    [InlineData("UT", "[\"a\\\\b\"]", "[\"a\\\\b\"]")]
    [InlineData("UR", "[\"http:\\\\\\\\x\"]", "[\"http:\\\\\\\\x\"]")]
    public async Task SplitsValuesAtBackslashes_ExceptInTextVrs(string vr, string value, string expected)
    {
        string[] attributes = [$"{{\"vr\":\"{vr}\",\"Value\":{value}}}", $"{{\"Value\":{value},\"vr\":\"{vr}\"}}"];
        foreach (var attribute in attributes)
        {
            var dataset = (await Answers.ReadAsync(
                $"[{{\"00091001\":{attribute},\"00091002\":{{\"vr\":\"SQ\",\"Value\":[{{\"00091001\":{attribute}}}]}}}}]")).Single();
            Assert.Equal(2, Answers.Text(dataset).Split(expected).Length - 1);
            Assert.Equal(0, dataset.LeftOut);
        }
    }

    [Fact]
    public async Task NeverCreatesARootMark_WhenAValueChanges()
    {
        var dataset = (await Answers.ReadAsync("[{\"00091001\":{\"vr\":\"LO\",\"Value\":[\"a\\\\\\uffff/studies\"]}}]")).Single();
        Assert.Equal(["a", "\uFFFF/studies"], dataset.FindStrings(new(0x00091001)));
        Assert.True(dataset.Json.Span.IndexOf(DicomJsonWriter.RootMark) < 0);
    }

    [Fact]
    public async Task SplitsTwoModalitiesInOneValue()
    {
        var row = await ReadRowAsync("[{\"00080061\":{\"vr\":\"CS\",\"Value\":[\"CT\\\\SR\"]}}]");
        Assert.Equal(["CT", "SR"], row.FindStrings(Tag.ModalitiesInStudy));
    }

    [Theory]
    [InlineData("1.2.3 ")]
    [InlineData("1.2.3\\u0000")]
    [InlineData("1.2.3 \\u0000 ")]
    public async Task RemovesPaddingFromUids(string padded)
    {
        foreach (var tag in (string[])["0020000D", "0020000E", "00080018"])
        {
            var answer =
                $"[{{\"{tag}\":{{\"vr\":\"UI\",\"Value\":[\"{padded}\"]}},"
                + $"\"0040A730\":{{\"Value\":[{{\"00081155\":{{\"Value\":[\"{padded}\"],\"vr\":\"UI\"}}}}],\"vr\":\"SQ\"}}}}]";
            var expected =
                $"{{\"{tag}\":{{\"vr\":\"UI\",\"Value\":[\"1.2.3\"]}},"
                + "\"0040A730\":{\"Value\":[{\"00081155\":{\"Value\":[\"1.2.3\"],\"vr\":\"UI\"}}],\"vr\":\"SQ\"}}";
            Assert.Equal(expected, Answers.Text((await Answers.ReadAsync(answer)).Single()));
            Assert.Equal("1.2.3", (await ReadRowAsync(answer)).FindString(new(Convert.ToUInt32(tag, 16))));
        }
    }

    [Fact]
    public async Task FindsUrlsInARepairedDataset()
    {
        var dataset = (await Answers.ReadAsync("""
            [{ "x": {"BulkDataURI":"http://pacs/0"}, "00080061": {"vr":"CS","Value":["CT\\SR"]},
               "00091001": {"vr":"OB","BulkDataURI":"http://pacs/1"} }]
            """)).Single();
        Assert.Equal(["http://pacs/1"], dataset.Links.Select(l => Answers.Text(dataset.Json.Span[l.Start..l.End])));
    }

    [Theory]
    [InlineData("\\u00300080018", "vr")]
    [InlineData("00080018", "v\\u0072")]
    public async Task ReadsEscapedNames(string tag, string vr) =>
        Assert.Equal(
            "1.2",
            (await Answers.ReadAsync($"[{{\"{tag}\":{{\"{vr}\":\"UI\",\"Value\":[\"1.2\"]}}}}]")).Single().FindString(Tag.SopInstanceUid));

    [Fact]
    public async Task AcceptsAttributesInAnyOrder() =>
        Assert.Equal(
            "1.2",
            (await Answers.ReadAsync("[{\"0020000D\":{\"vr\":\"UI\",\"Value\":[\"1.2\"]},\"00080018\":{\"vr\":\"UI\"}}]")).Single()
                .FindString(Tag.StudyInstanceUid));

    [Fact]
    public async Task ReadsEightyNestedSequences_AndRefusesTenThousand()
    {
        Assert.Single(await Answers.ReadAsync("[" + Nested(80) + "]"));
        await Assert.ThrowsAsync<MalformedAnswerException>(() => Answers.ReadAsync("[" + Nested(10_000) + "]"));
        await Assert.ThrowsAsync<MalformedAnswerException>(() => Answers.ReadAsync(new string('[', 10_000)));

        static string Nested(int depth) =>
            string.Concat(Enumerable.Repeat("{\"0040A730\":{\"vr\":\"SQ\",\"Value\":[", depth))
                + string.Concat(Enumerable.Repeat("]}}", depth));
    }

    [Fact]
    public async Task ReadsADatasetLargerThanTheFirstBuffer_BetweenSmallOnes()
    {
        var binary = Convert.ToBase64String(new byte[3 * 1024 * 1024]);
        var large = "{\"00080018\":{\"vr\":\"UI\",\"Value\":[\"1.2\"]},\"7FE00010\":{\"vr\":\"OW\",\"InlineBinary\":\"" + binary + "\"}}";
        var answer = Encoding.UTF8.GetBytes("[{}," + large + ",{}]");

        var datasets = await Answers.ReadAsync(PieceStream.Random(answer, seed: 1, most: 100_000));

        Assert.Equal(3, datasets.Count);
        Assert.Equal(large, Answers.Text(datasets[1]));
        Assert.Equal("1.2", datasets[1].FindString(Tag.SopInstanceUid));
    }

    [Fact]
    public async Task ReturnsADataset_WhileTheNextArrives()
    {
        var stopped = TestContext.Current.CancellationToken;
        var line = new Pipe(new(pauseWriterThreshold: 0));
        await line.Writer.WriteAsync(
            Encoding.UTF8.GetBytes("[{\"00100020\":{\"vr\":\"LO\",\"Value\":[\"" + new string('x', 100_000) + "\"]}},{"), stopped);

        await using var datasets = DicomJsonReader.ReadAsync(line.Reader.AsStream(), stopped).GetAsyncEnumerator(stopped);

        Assert.True(await datasets.MoveNextAsync());
        await line.Writer.CompleteAsync();
        await Assert.ThrowsAsync<MalformedAnswerException>(async () => await datasets.MoveNextAsync());
    }

    [Fact]
    public async Task ReadsRowsInPlace_WithoutTheExcludedAttribute()
    {
        const string Nested = """{"vr":"SQ","Value":[{"00081190":{"vr":"UR","Value":["http://a/studies/1.2"]}}]}""";
        const string Unwanted = """{"vr":"UR","Value":["http://a/studies/1.2"]}""";
        var answer = "[{\"00081190\":" + Unwanted + ",\"00081199\":" + Nested + "},{\"00081190\" : " + Unwanted
            + "},{\"00080020\":{\"vr\":\"DA\"},\"00081190\":" + Unwanted + "}]";
        var read = new List<(string[] Attributes, int Links)>();

        await foreach (var row in DicomJsonReader.ReadRowsAsync(
            new MemoryStream(Encoding.UTF8.GetBytes(answer)), without: Tag.RetrieveUrl, TestContext.Current.CancellationToken))
            read.Add(([.. row.Attributes.Select(a => a.Tag + Answers.Text(row.FindAttribute(a.Tag)))], row.Links.Length));

        Assert.Equal(["00081199" + Nested], read[0].Attributes);
        Assert.Equal(1, read[0].Links);
        Assert.Equal(([], 0), (read[1].Attributes, read[1].Links));
        Assert.Equal(["00080020{\"vr\":\"DA\"}"], read[2].Attributes);
    }

    [Fact]
    public async Task QuotesNothingFromTheAnswer_WhenItIsMalformed()
    {
        var e = await Assert.ThrowsAsync<MalformedAnswerException>(
            () => Answers.ReadAsync("[{\"00100010\":{\"vr\":\"PN\",\"Value\":[SECRET]}}]"));
        for (Exception? inner = e; inner is not null; inner = inner.InnerException)
            Assert.DoesNotContain("SECRET", inner.Message, StringComparison.Ordinal);
    }

    private static async Task<Dataset> ReadRowAsync(string answer)
    {
        var rows = new List<Dataset>();
        await foreach (var row in DicomJsonReader.ReadRowsAsync(
            new MemoryStream(Encoding.UTF8.GetBytes(answer)), without: Tag.RetrieveUrl, TestContext.Current.CancellationToken))
            rows.Add(row);
        return rows.Single();
    }
}
