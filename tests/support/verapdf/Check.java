import java.io.File;
import java.io.InputStream;
import java.util.Date;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import javax.xml.parsers.DocumentBuilderFactory;
import org.verapdf.gf.foundry.VeraGreenfieldFoundryProvider;
import org.verapdf.pdfa.Foundries;
import org.verapdf.pdfa.PDFAParser;
import org.verapdf.pdfa.PDFAValidator;
import org.verapdf.pdfa.flavours.PDFAFlavour;
import org.verapdf.pdfa.results.TestAssertion;
import org.verapdf.pdfa.results.ValidationResult;
import org.verapdf.pdfa.validation.profiles.Profiles;
import org.verapdf.pdfa.validation.profiles.Rule;
import org.verapdf.pdfa.validation.profiles.ValidationProfile;
import org.verapdf.pdfa.validation.profiles.Variable;
import org.w3c.dom.Document;
import org.w3c.dom.Element;
import org.w3c.dom.NodeList;

/** Prints for each file the rules of PDF/A-2b that it breaks, by clause and number, in one line; an empty one if none. */
public class Check {
    private static final PDFAFlavour FLAVOUR = PDFAFlavour.PDFA_2_B;
    private static final String RULES = "/org/verapdf/pdfa/validation/PDFA-2B.xml";

    public static void main(String[] files) throws Exception {
        VeraGreenfieldFoundryProvider.initialise();
        ValidationProfile profile = profile();
        for (String file : files) {
            System.out.println(String.join(" ", broken(file, profile)));
        }
    }

    private static Set<String> broken(String file, ValidationProfile profile) throws Exception {
        try (PDFAParser parser = Foundries.defaultInstance().createParser(new File(file), FLAVOUR);
                PDFAValidator validator = Foundries.defaultInstance().createValidator(profile, false)) {
            ValidationResult result = validator.validate(parser);
            Set<String> rules = new TreeSet<>();
            for (TestAssertion assertion : result.getTestAssertions()) {
                if (assertion.getStatus() == TestAssertion.Status.FAILED) {
                    rules.add(assertion.getRuleId().getClause() + "-" + assertion.getRuleId().getTestNumber());
                }
            }
            return rules;
        }
    }

    /** The archive lacks what veraPDF reads its own profiles with, so this reads what validation needs of them. */
    private static ValidationProfile profile() throws Exception {
        Document document;
        try (InputStream rules = Check.class.getResourceAsStream(RULES)) {
            document = DocumentBuilderFactory.newDefaultInstance().newDocumentBuilder().parse(rules);
        }
        Set<Rule> rules = new HashSet<>();
        NodeList found = document.getElementsByTagName("rule");
        for (int index = 0; index < found.getLength(); index++) {
            rules.add(rule((Element) found.item(index)));
        }
        Set<Variable> variables = new HashSet<>();
        found = document.getElementsByTagName("variable");
        for (int index = 0; index < found.getLength(); index++) {
            Element each = (Element) found.item(index);
            variables.add(Profiles.variableFromValues(each.getAttribute("name"), each.getAttribute("object"),
                    text(each, "defaultValue"), text(each, "value")));
        }
        return Profiles.profileFromValues(FLAVOUR, Profiles.profileDetailsFromValues("", "", "", new Date()), "", rules, variables);
    }

    private static Rule rule(Element rule) {
        Element id = (Element) rule.getElementsByTagName("id").item(0);
        Boolean deferred = "true".equals(rule.getAttribute("deferred")) ? Boolean.TRUE : null;
        return Profiles.ruleFromValues(
                Profiles.ruleIdFromValues(PDFAFlavour.Specification.ISO_19005_2, id.getAttribute("clause"),
                        Integer.parseInt(id.getAttribute("testNumber"))),
                rule.getAttribute("object"), deferred, "", text(rule, "description"), text(rule, "test"),
                Profiles.errorFromValues(text(rule, "message"), List.of()), List.of());
    }

    private static String text(Element parent, String name) {
        NodeList found = parent.getElementsByTagName(name);
        return found.getLength() == 0 ? "" : found.item(0).getTextContent();
    }
}
