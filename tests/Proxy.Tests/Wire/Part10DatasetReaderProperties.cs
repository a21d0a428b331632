using FsCheck;
using FsCheck.Xunit;
using Proxy.Wire;
using Proxy.Wire.Part10;
using Xunit;

namespace Proxy.Tests.Wire;

/// <summary>Properties of <see cref="Part10DatasetReader"/> for any bytes: a valid dataset, or the one documented error.</summary>
public sealed class Part10DatasetReaderProperties
{
    private static readonly byte[][] Files =
    [
        .. Directory.EnumerateFiles(Path.Combine(AppContext.BaseDirectory, "Wire", "Part10Files"), "*.dcm").Order()
            .Select(File.ReadAllBytes),
    ];

    [Property(MaxTest = 200)]
    public async Task ReadsADatasetOrRefuses_WhenBytesChange(DoNotSize<int> any)
    {
        var random = new Random(any.Item);
        for (var i = 0; i < 20; i++)
        {
            var file = Files[random.Next(Files.Length)].ToArray();
            for (var j = random.Next(1, 6); j > 0; j--)
            {
                var at = 132 + random.Next(file.Length - 132);
                file[at] = random.Next(4) switch
                {
                    0 => 0,
                    1 => 255,
                    2 => (byte)(file[at] ^ (1 << random.Next(8))),
                    _ => (byte)random.Next(256),
                };
            }
            await AssertSoundAsync(file);
        }
    }

    [Property(MaxTest = 100)]
    public async Task ReadsADatasetOrRefuses_WhenTheFileIsCut(DoNotSize<int> any)
    {
        var random = new Random(any.Item);
        for (var i = 0; i < 20; i++)
        {
            var file = Files[random.Next(Files.Length)];
            await AssertSoundAsync(file.AsMemory(0, random.Next(file.Length)));
        }
    }

    [Property(MaxTest = 100)]
    public async Task ReadsADatasetOrRefuses_WhenPartsMove(DoNotSize<int> any)
    {
        var random = new Random(any.Item);
        for (var i = 0; i < 20; i++)
        {
            var (file, other) = (Files[random.Next(Files.Length)], Files[random.Next(Files.Length)]);
            var (cut, from) = (132 + random.Next(file.Length - 132), 132 + random.Next(other.Length - 132));
            await AssertSoundAsync((byte[])[.. file.AsSpan(0, cut), .. other.AsSpan(from)]);
        }
    }

    [Fact]
    public async Task ReadsEveryFile()
    {
        foreach (var file in Files) Assert.True(await AssertSoundAsync(file));
    }

    /// <summary>
    /// The dataset passes the reader of backends' answers without a repair, and holds no root mark but those of its links.
    /// </summary>
    private static async Task<bool> AssertSoundAsync(ReadOnlyMemory<byte> file)
    {
        Part10Dataset read;
        try
        {
            read = Part10DatasetReading.Read(file);
        }
        catch (MalformedAnswerException)
        {
            return false;
        }
        Assert.InRange(read.Json.Length, 2, 40 * file.Length + 1000);
        var text = System.Text.Encoding.UTF8.GetString(read.Json.Span);
        Assert.Equal(read.Bulk.Count, text.Split('\uFFFF').Length - 1);
        Assert.All(read.Bulk.SelectMany(b => b.Ranges), range => Assert.InRange(range.Offset, 0, 1 << 20));
        var unmarked = text.Replace('\uFFFF', 'x');
        using var stream = new MemoryStream(System.Text.Encoding.UTF8.GetBytes($"[{unmarked}]"));
        await foreach (var dataset in DicomJsonReader.ReadAsync(stream))
        {
            Assert.Equal(0, dataset.LeftOut);
            var tags = dataset.Attributes.Select(a => a.Tag).ToList();
            Assert.Equal(tags.Distinct().Order(), tags);
        }
        return true;
    }
}
