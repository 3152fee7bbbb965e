"""Given names of many countries that are hardly ever another word: a capital makes a person."""

from distill.perspective.languages import words

GIVEN_NAMES = words(
    """aaron abby abdul abdullah abhishek abigail abraham ada adam adel adele adeline aditi aditya
    adrian adriana adrien agata agnes agnieszka ahmad ahmed aida aidan aiko aileen aisha aisling
    akira alain alan albert alberto alejandro alena alessandra alessandro alex alexander alexandra
    alexei alexey alexis alfonso alfred alfredo ali alice alicia alina alison allie allison alma
    alonso alvaro amanda amara amartya amelia amina amir amit amparo amy ana anastasia anatoly
    anders andrea andreas andreea andrei andrej andres andrew andrzej andré andrés andy aneta
    angela angelica angelo anil anita anja anjali anke ann anna anne anneke annelies annette
    annika anouk ansgar anthony antje antoine anton antonella antonina antonio antonis anya aparna
    arash ariane arjun arnaud arne arno arnold arthur arturo arun ashley ashok asif astrid atul
    aubrey audrey aurelia aurélie axel ayla aylin ayşe babette baptiste barbara bartek bartosz
    bashir bastian beata beate beatrice beatrix beatriz becky belinda ben benedict benedikt benito
    benjamin benoit bernadette bernard bernardo bernd bernie berta bertrand beth bethany betsy
    bettina betty bianca bilal birgit björn blanca bob bogdan boris borja bosko brad bradley bram
    brandon branko brenda brian bridget brigitte britta bruce bruna bruno bryan bryony burak
    caitlin callum calvin cameron camila camilla camille candice caren carina carl carla carlo
    carlos carlota carlotta carmen carol caroline carolyn carsten casey caspar cassandra cassie
    catalina catarina caterina catherine cathy catriona cecile cecilia cedric celia celine chantal
    charlene charles charlie charlotte chen cheryl chiara chidi chinedu chiyo chloe chris christa
    christel christelle christian christiane christina christine christoph christopher christos
    chuck cindy claire clara clarissa claudia claudio claus clemence clemens clive colette colin
    colleen connor cora corinna corinne cornelia cory cosima craig cristian cristina curtis
    cynthia cyril dafna dagmar daisuke damian damien dan dana dani daniel daniela danielle danilo
    danny daria dario darius darren dasha dave david deb debbie deborah debra deepak deirdre delia
    demetrius denis denise deniz dennis derek desmond devika dexter dhruv diana diane didier diego
    dieter dilip dimitri dimitris dina dinesh dirk divya djamila dmitri dmitry domenico dominic
    dominik dominika dominique donald donatella donna dorian doris dorota dorothea dorothy douglas
    dragan duncan dunja dusan dylan eamon ebba eddie edgar edith edmund eduard eduardo edward
    edwin efrain egon eileen einar eirik ekaterina elad elaine eleanor elena eleni eli elias eliot
    elisabeth elise eliza elizabeth ella ellen ellie elliot elliott elodie elsa elspeth elvira
    emeka emil emile emilia emilie emilio emily emine emma emmanuel emre enrico enrique enzo eric
    erica erich erik erin ernst erwin esperanza esra esteban estelle esther ethan etienne eugene
    eugenia eugenio eunice eva evan evelin evelyn ewa ezra fabian fabio fabrice fabrizio fadi
    faisal farah farid fatima fatma fausto federica federico felix fergus fernando filip filippo
    finn fiona fleur florian frances francesca francesco francine francis francisco franco franz
    franziska freddie frederic frederick frederik frida frieda friedrich fritz fritzi frédéric
    fumiko gabi gabriel gabriela gabriele gabriella gael gail galina ganesh gareth gary gavin gaël
    geert geoff geoffrey georg george georges georgina georgios gerald geraldine gerard gerda
    gerhard gerhardt gert gertrude giacomo gianluca gianni gideon gina giorgio giovanna giovanni
    gisela giselle giulia giuliano giulio giuseppe gloria gopal goran gordon graeme graham grażyna
    greg gregor gregory greta gretchen grigori grigory guadalupe gudrun guido guillaume guillermo
    gunnar gunter gunther gus gustav gustavo gwen gwendolyn göran habib hadi haim hakan halima
    hamid hanna hannah hannelore hannes hans harald hari hariharan harish harold harriet harry
    haruki haruto hasan hassan hatice heather hedwig heidi heike heiko heinrich heinz helen helena
    helene helga helge helmut hendrik henk henning henri henrik henrike henrique henry herbert
    herman hermann hideo hilary hilda hilde himanshu hiro hiroshi hitoshi holger horst hortense
    howard hubert huda hugh hugo humberto hussein hyun iain ian iana ibrahim ida idris ignacio
    ignatius igor ilana ildikó ilias ilka ilona ilse ilya imran ina ines inga inge ingeborg ingmar
    ingrid inès inés ioana ioannis irena irene irina irma isaac isabel isabella isabelle isaiah
    isha ishaan ismael ismail isolde ivan ivana iveta ivo iwona izabela jaap jacek jackie jacob
    jacqueline jacques jadwiga jaime jake jakob jakub jamal james jamie jamila jan jana jane janek
    janet janice janina janine janos jared jarek jaroslav jasmin jason jaume javad javier jay jaya
    jayden jean jeanette jeanne jeannine jeff jeffrey jelena jen jenna jennie jennifer jenny jens
    jeremy jeroen jerome jerry jess jesse jessica jessie jette jill jim jin jing jitka joachim
    joan joanna joanne joao joaquin jochen jody joe joel joelle joep johan johann johanna johannes
    john johnathan johnny jolanta jon jonah jonas jonathan jonathon joost jordan jordi jorg jorge
    jose josef josefina joseph josephine josh joshua joss jovan joyce joão juan juanita judith
    juergen jules julia julian juliana julie julien juliet julio junko jurgen justin justine
    justyna jérôme jörg jörn jürgen kabir kai kaito kaja kalle kamal kamala kamil kamila karan
    karel karen karim karin karina karl karla karol karolina karsten kasia kaspar katarina kate
    katherine kathleen kathrin kathryn kathy katie katja katrin katrina katsumi kaveh kavita kay
    kayla kazuki kazuo keiko keira keisha keith kelly ken kenji kenneth kenzo kerstin kevin
    khadija khaled khalid kieran kim kimberly kirsten kirsty kjell klara klaudia klaus knut koen
    koji konrad konstantin konstantinos kristen kristian kristin kristina kristof krystyna
    krzysztof kumar kurt kwame kyle kyoko lachlan laila lajos lakshmi lalita lamar lana lara
    larissa larry lars lasse laszlo latisha laura laurel lauren laurence laurens laurent lauri
    laurie lavinia lawrence layla lea leah leandro leif leigh leila leilani lena leo leon leonard
    leonardo leonie leonora leopold leroy leslie leszek leticia lev levi liam liana lidia liesbeth
    liese liisa lili lilian liliana lilith lilly linda linus lionel lior lisa lise liselotte livia
    liz liza lizzie lluís logan lois lola lorena lorenzo loretta lorna lothar louis louisa louise
    luca lucas lucia lucian luciana luciano lucie lucien lucille lucinda lucrezia lucy ludmila
    ludovic ludwig luigi luis luisa lukas lukasz luke lutz lydia lynn lyudmila lászló maarten
    maartje mabel mads maeve magda magdalena magnus maher mahesh mahmoud mai maia maike maite maja
    makoto malcolm malika malte mandy manfred manoj manolo manon manuel manuela marc marcel
    marcela marcelo marcin marco marcus marek maren margaret margarita margot margrit marguerite
    maria mariam mariana marianna marianne mariano maribel marie mariela marika mariko marilyn
    marina mario marion marisa marisol marit marius marjan marjorie marko markus marlene marlies
    marlon marta marten martha marthe martin martina marty mary maryam marzena masako masha
    massimo matej mateo mateusz mathias mathieu mathilde matias matilda matt matteo matthew
    matthias matti mattias matylda maura maureen maurice mauricio maurizio mauro maxime maximilian
    maya meera megan mehdi mehmet mei meike melanie melina melinda melissa meredith merete meryem
    mia michael michaela michaël michał michel michele micheline michelle michiel miguel miguelito
    mihai mikael mike mikhail mikko mila milan milena milica millie milos mina minh mira miranda
    mirela miriam mirjam mirko miroslav mitch mitchell mitsuko mitzi mohamad mohamed mohammed
    mohan mohsen moira moises molly mona monica monika moritz morten moshe mounir muhammad mukesh
    murat murray mustafa myra myriam myrtle nabil nadia nadine nadja nancy naoki naoko naomi
    narendra nasrin nasser natalia natalie natalya natasha nathalie nathan nathaniel naveen nayeli
    neha neil nele nelly nelson nestor niamh nicholas nick nicky nico nicola nicolai nicolas
    nicole nicolás niels nigel nikhil nikita niklas niko nikolai nikolaos nikolay nikos nils
    nilufar nima nina nisha nitin noah noam noel noor nora norbert noriko norma noémie nuno nuria
    oana obi octavia octavio odette odile ofelia oksana olaf ole oleg olena olga oliver olivia
    olivier olof omar omer ondrej orhan oriol orla orsolya oscar oskar osman osvaldo ottilie otto
    owen ozan pablito pablo paloma pamela paola paolo pasquale patrice patricia patrick patrizia
    patsy paul paula paulette pauline paulo pavel paweł pedro peggy pekka penelope perry pete
    peter petr petra petros phil philip philippa philippe phillip pia pierre pieter pietro piotr
    polly pooja pradeep prakash pranav prasad prashant pratik preeti priscilla priya priyanka
    przemek quentin quincy rabia rachael rachel radek radhika radu rafael rafaela rafał rafi raghu
    rahul raimund rainer raj raja rajesh rajiv rakesh ralf ralph ramesh ramin ramon ramona ramón
    rana randall randy rania raphael raquel rashid rasmus raul ravi raymond raúl rebecca rebekah
    reem reiko reinhard reinhold reka remco remi remy renata renate renato rené renée reza
    rhiannon rhoda rhonda ricardo riccardo richard rick ricky rieko rina rishi rita ritu robert
    roberta roberto robin rocco rocio roderick rodney rodolfo rodrigo roger rohan rohit roland
    rolf romain roman romeo romy ron ronald ronan ronja ronnie rory rosa rosalia rosalie rosalind
    rosanna rosemary roswitha rowena roxana roxanne roy royce ruben rubén rudi rudolf rui rune
    rupert russell rustam ruth ruxandra ryan ryoko ryota rémi rüdiger saanvi sabina sabine sabrina
    sadie saeed safia sakura salim sally salma salman salome salvatore samantha sameer sami samina
    samira samuel sandeep sander sandra sandro sanjay sanjeev santosh sara sarah saskia satoshi
    saul saverio sayuri saïd scott sean sebastian sebastien seema selena selim selma semyon serena
    serge sergei sergej sergey sergio servane seth seung sevda seyed shabana shahid shahrzad
    shalini shane shannon shanti shari sharmila sharon shaun shawn shayna sheena sheila shelby
    sheldon shelley shinichi shinji shira shirin shirley shlomo shonda shreya shruti sibylle
    siegfried sigrid sigurd silke silvana silvano silvia silvio simeon simon simone sinead siobhan
    siv slavica slobodan sofia sofie solange solveig sonali sonia sonja sonya sophia sophie soraya
    stacey stacy stan stanislav stanisław stavros stef stefan stefania stefanie stefano steffen
    steffi stephan stephane stephanie stephen steve steven stewart stina stuart stéphane subhash
    sudhir sujata suki suleiman sumit sunil sunita suresh susan susanna susanne susie suzanne
    svein sven svenja svetlana swati sylvain sylvia sylvie sylwia szymon sébastien sören søren
    tabea tadashi tadeusz taiki takashi takeshi talia talya tamar tamara tammy tamás tania tanja
    tanvi tanya tara tarek tariq taro tarquin tatiana tatjana tatsuya taylor ted teddy teemu
    teodor teodora terence teresa terje terry tess tessa thabo thea theo theodor theodora theodore
    theresa thibault thierry thijs thilo thomas thorsten thérèse tiago tiana tiffany tilda tilman
    tim timo timon timothy timur tina tine tjeerd tobias todd tom tomas tomasz tomek tommy tomoko
    tomás tomáš tony tonya torben tore torsten toshi tracy trang travis trevor trisha tristan
    trond trudy tuan tuomas tyler tyrone ugo ulf uli ulla ulrich ulrike umberto umut urs ursel
    ursula urszula usha ute uwe uzma vadim valentin valentina valentino valeria valerie valerio
    valery valter vanessa vanya varun vasco vasily vassilis veera venkat vera verena veronica
    verónica vesna vicente vicky victor victoria vidya vijay vikram viktor viktoria viktorija
    vilma vimal vinay vincent vinod violeta violetta virginia viswanath vitaly vito vittoria
    vittorio vivian viviana vivien vivienne vlad vladimir vladislav volker vytautas václav waleed
    walid walter waltraud wanda wangari warren wassim wei wendell wendy werner wesley whitney
    wiebke wieland wiktor wilfried wilhelm wilhelmina willem willi william wilma wim winifred
    winston witold wojciech wolfgang wout władysław xavi xavier xenia xiaoming ximena yael yair
    yana yann yannick yara yaroslav yash yasmin yasmina yasuko yehuda yelena yiannis yoko yolanda
    yolande yong yosef yoshi yoshiko younes youssef yuan yuki yukiko yulia yuliya yuri yuriko
    yusra yusuf yuto yvan yves yvette yvonne zach zacharias zachary zack zahra zainab zbigniew
    zdenka zeynep zhen zoe zofia zoltan zoltán zora zsófia zuzana łukasz"""
)
